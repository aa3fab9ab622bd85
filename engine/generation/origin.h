#pragma once
// What the side-car beside a .dac says about its place in a longer take.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engine/generation/file_identity.h"

namespace dsf {

/// The conditioning under which a file was made, as its side-car states it.
struct StatedConditioning {
  std::filesystem::path sidecar;
  std::string class_name;                   // empty: none
  std::map<std::string, float> parameters;  // those that were given
  std::string morph;

  bool is_same(const StatedConditioning& other) const {
    return class_name == other.class_name && parameters == other.parameters && morph == other.morph;
  }
};

struct Origin {
  int64_t next_frame = 0;            // the number of the frame that would follow the file's last
  std::optional<SourceFile> before;  // the file that this one's first frame follows
  std::optional<StatedConditioning> conditioning;
};

/// Nothing where no side-car of ours for a file of `frames` frames lies beside it. The side-car of
/// a channel's file, <name>-left.dac, is <name>.json.
std::optional<Origin> read_origin(const std::filesystem::path& dac, int64_t frames);

}  // namespace dsf
