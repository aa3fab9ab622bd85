#include "engine/files/quote.h"

#include <fmt/format.h>

#include <algorithm>

namespace dsf {
namespace {

/// How many bytes at the beginning of `text` are one character in UTF-8; 0 if they are none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t size = byte(0) < 0xC2 ? 0 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  if (size == 0 || byte(0) > 0xF4 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  return size;
}

/// The same, but 0 also for a control character (C1's, U+0080 … U+009F, move some terminals'
/// cursors).
size_t visible_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t size = character_bytes(text);
  const bool is_c0 = byte(0) < 0x20 || byte(0) == 0x7F;
  const bool is_c1 = size == 2 && byte(0) == 0xC2 && byte(1) < 0xA0;
  return is_c0 || is_c1 ? 0 : size;
}

/// As much of `text` as fits into `longest` bytes of it, printable.
std::string printable_part(std::string_view text, size_t longest, std::string_view if_cut) {
  std::string result;
  size_t done = 0;
  while (done < text.size()) {
    const size_t size = visible_bytes(text.substr(done));
    if (done + std::max<size_t>(size, 1) > longest) return result.append(if_cut);
    if (size == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[done++]));
    } else {
      result += text.substr(done, size);
      done += size;
    }
  }
  return result;
}

}  // namespace

std::string printable(std::string_view text) {
  return printable_part(text, text.size(), "");
}

size_t valid_utf8(std::string_view text) {
  size_t done = 0;
  while (done < text.size()) {
    const size_t size = character_bytes(text.substr(done));
    if (size == 0) break;
    done += size;
  }
  return done;
}

size_t count_characters(std::string_view text) {
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
  return text.size() - static_cast<size_t>(std::ranges::count_if(text, continues));
}

std::string shorten(std::string_view text, size_t longest) {
  return printable_part(text, longest, "…");
}

std::string quote(std::string_view text) {
  return fmt::format("'{}'", shorten(text, kLongestQuoted));
}

}  // namespace dsf
