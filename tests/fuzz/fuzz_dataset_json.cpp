// dataset.json: which recordings' pieces are there already.
#include <nlohmann/json.hpp>

#include "engine/dataset/dataset_record.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".json");
  static const nlohmann::ordered_json settings = {{"rate", 1}};
  static const dsf::Recordings recordings{{{"in/a", "a", "wind", {}, {1, 2}},  //
                                           {"in/\xFF", "\xFF", "wind", {}, {3, -4}}},
                                          {},
                                          {},
                                          {}};
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] { dsf::find_reusable(path, settings, recordings); });
  return 0;
}
