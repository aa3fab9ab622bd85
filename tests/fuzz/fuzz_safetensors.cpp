// Safetensors, and the list of what is in one.
#include "engine/files/inspect.h"
#include "engine/files/safetensors.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".safetensors");
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] { dsf::inspect_file(path); });
  return 0;
}
