#pragma once
// What the side-car beside a .dac says about its place in a longer take.
#include <cstdint>
#include <filesystem>
#include <optional>

#include "engine/generation/file_identity.h"

namespace dsf {

struct Origin {
  int64_t next_frame = 0;            // the number of the frame that would follow the file's last
  std::optional<SourceFile> before;  // the file that this one's first frame follows
};

/// Nothing where no side-car of ours for a file of `frames` frames lies beside it. The side-car of
/// a channel's file, <name>-left.dac, is <name>.json.
std::optional<Origin> read_origin(const std::filesystem::path& dac, int64_t frames);

}  // namespace dsf
