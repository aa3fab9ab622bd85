// Conditioning trajectories in YAML, read and followed.
#include "engine/generation/morph_file.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".yaml");
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] {
    const dsf::MorphFile morph = dsf::read_morph_file(path, {"wind", "rain"}, {"strength"});
    dsf::follow_morph(morph, 20, 2, {0, 1, 0.5F}, 2);
  });
  return 0;
}
