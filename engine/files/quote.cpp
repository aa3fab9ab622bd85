#include "engine/files/quote.h"

#include <fmt/format.h>

namespace dsf {

std::string quote(std::string_view text) {
  constexpr size_t kLongest = 80;
  std::string result = "'";
  for (const char character : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += character;
    }
  }
  return result + (text.size() > kLongest ? "…'" : "'");
}

}  // namespace dsf
