#pragma once
// A line of text that tells a live stream where to go: "wind=0.7 gust=0.2 over 2s".
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

inline constexpr double kLongestGlide = 86'400;  // s

struct ControlLine {
  struct Value {
    int64_t index;  // among the names
    float target;
  };
  std::vector<Value> values;
  double seconds = 0;  // over which they move there
};

/// Words NAME=NUMBER, NAME one of `names` (LiveModel::names), then perhaps "over NUMBERs" (or
/// NUMBERms). What stands behind a word that begins with #, and an empty line, says nothing.
/// Anything else is a UsageError that says what was found and what was expected; the line then
/// changes nothing.
ControlLine parse_control_line(std::string_view line, const std::vector<std::string>& names);

/// The index of a name; a UsageError that lists them, where it is none of them.
int64_t find_control(std::string_view name, const std::vector<std::string>& names);

}  // namespace dsf
