// Configurations of a training.
#include "engine/config/training_config.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".yaml");
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] { dsf::read_training_config(path, {}, [](const std::string&) {}); });
  return 0;
}
