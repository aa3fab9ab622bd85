// Tables of parameters as CSV.
#include "engine/data/data_frame.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".csv");
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] {
    dsf::Faults faults;
    dsf::read_parameter_table(path, faults);
  });
  return 0;
}
