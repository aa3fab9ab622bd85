#include "engine/generation/origin.h"

#include <nlohmann/json.hpp>

#include "engine/generation/sidecar.h"
#include "engine/generation/sidecar_reader.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLeft = "-left", kRight = "-right";

std::optional<StatedConditioning> read_conditioning(const SidecarReader& reader,
                                                    const fs::path& path) {
  for (const char* key : {"class", "parameters", "morph"}) {
    if (!reader.has(key)) return {};
  }
  return StatedConditioning{path, reader.text("class"), reader.numbers("parameters"),
                            reader.text("morph")};
}

}  // namespace

std::optional<Origin> read_origin(const fs::path& dac, int64_t frames) {
  fs::path path = fs::path(dac).replace_extension(".json");
  nlohmann::json sidecar = read_sidecar(path);
  const std::string stem = dac.stem().string();
  const bool right = stem.ends_with(kRight);
  if (sidecar.is_null() && (right || stem.ends_with(kLeft))) {
    const size_t ending = right ? kRight.size() : kLeft.size();
    path = dac.parent_path() / (stem.substr(0, stem.size() - ending) + ".json");
    sidecar = read_sidecar(path);
  }
  if (sidecar.is_null()) return {};
  const SidecarReader reader(sidecar, path.string());
  if (reader.count("frames") != frames) return {};  // of a file that was there before this one
  Origin origin{reader.count("next_frame"), {}, read_conditioning(reader, path)};
  // A loop begins in the middle of what was drawn: nothing leads to its first frame.
  if (!reader.has("prime") || reader.flag("loop")) return origin;
  const auto& sources = reader.part("prime").value("from");
  if (!sources.is_array() || sources.empty()) reader.refuse("prime", "a list of files");
  const auto& source = right ? sources.back() : sources.front();
  if (source.is_object()) {
    origin.before = SidecarReader(source, path.string() + ", prime").source_file();
  }
  return origin;
}

}  // namespace dsf
