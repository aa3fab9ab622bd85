#pragma once
// Whether a file is still the one that was used: its size and a hash of its content.
#include <cstdint>
#include <filesystem>
#include <string>

namespace dsf {

struct FileIdentity {
  uint64_t bytes = 0;
  std::string hash;  // 16 hexadecimal digits; against accidents, not against forgers

  bool operator==(const FileIdentity&) const = default;
};

/// A file that a run reads.
struct SourceFile {
  std::filesystem::path path;  // absolute
  FileIdentity identity;
};

SourceFile identify(const std::filesystem::path& path);

}  // namespace dsf
