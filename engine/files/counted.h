#pragma once
// Numbers of things in messages.
#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace dsf {

/// "1 file", "2 files", of "file". For what takes an s.
std::string counted(std::integral auto count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

}  // namespace dsf
