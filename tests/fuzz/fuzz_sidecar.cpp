// Side-cars of what was generated: read to repeat a run, to go on from its file, and to find out
// whether they describe a run.
#include <nlohmann/json.hpp>

#include "engine/generation/origin.h"
#include "engine/generation/repeat.h"
#include "engine/generation/sidecar.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".json");
  static const nlohmann::ordered_json described = {{"dsf_version", "0.1.0"}, {"seed", 1}};
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] { dsf::read_repeat(path); });
  dsf::fuzz::may_refuse([&] { dsf::read_origin(path, 20); });
  dsf::fuzz::may_refuse([&] { dsf::describes(path, described); });
  return 0;
}
