// A packet of Open Sound Control.
#include "apps/stream/osc_packet.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view packet = dsf::fuzz::text_of(data, size);
  dsf::fuzz::may_refuse([&] {
    for (const dsf::ControlLine& line :
         dsf::parse_osc({packet.data(), packet.size()}, {"wind", "rain"})) {
      if (line.values.size() != 1) std::abort();
    }
  });
  return 0;
}
