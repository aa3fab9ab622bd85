// A line that moves a live stream.
#include "engine/live/control_line.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  dsf::fuzz::may_refuse([&] {
    const dsf::ControlLine line =
        dsf::parse_control_line(dsf::fuzz::text_of(data, size), {"wind", "a=b", "gust"});
    for (const dsf::ControlLine::Value& value : line.values) {
      if (value.index < 0 || value.index > 2) std::abort();
    }
    if (!(line.seconds >= 0 && line.seconds <= dsf::kLongestGlide)) std::abort();
  });
  return 0;
}
