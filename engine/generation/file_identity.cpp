#include "engine/generation/file_identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/files/atomic_file.h"

namespace dsf {
namespace {

constexpr uint64_t kBlock = uint64_t{1} << 20;

/// FNV-1a over words of 8 bytes, for speed; the shift lets a word's high bits reach the low ones,
/// which the multiplication does not.
uint64_t add_word(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x100000001B3U;
  return hash ^ (hash >> 29);
}

}  // namespace

SourceFile identify(const std::filesystem::path& path) {
  const InputFile file(path);
  uint64_t hash = 0xCBF29CE484222325U;
  std::vector<std::byte> block(std::min(kBlock, file.size()));
  for (uint64_t offset = 0; offset < file.size(); offset += block.size()) {
    const auto count = static_cast<size_t>(std::min<uint64_t>(block.size(), file.size() - offset));
    file.read(offset, std::span(block).first(count));
    for (size_t i = 0; i < count; i += sizeof(uint64_t)) {
      uint64_t word = 0;  // the last one is filled up with zeros; the size tells them apart
      std::memcpy(&word, block.data() + i, std::min(sizeof word, count - i));
      hash = add_word(hash, word);
    }
  }
  return {std::filesystem::absolute(path), {file.size(), fmt::format("{:016x}", hash)}};
}

}  // namespace dsf
