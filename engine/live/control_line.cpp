#include "engine/live/control_line.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/files/quote.h"
#include "engine/generation/morph.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string_view> words;
  for (size_t begin = 0;
       (begin = line.find_first_not_of(kSpace, begin)) != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kSpace, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

/// The number that `text` begins with, and what stands behind it.
double leading_number(std::string_view text, std::string_view& behind) {
  double number = NAN;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  behind = text.substr(static_cast<size_t>(rest - text.data()));
  return error == std::errc() ? number : NAN;
}

double parse_time(std::string_view word) {
  std::string_view unit;
  const double number = leading_number(word, unit);
  const double seconds = unit == "ms" ? number / 1000 : number;
  if ((unit != "s" && unit != "ms") || !(seconds >= 0 && seconds <= kLongestGlide)) {
    fail_usage(
        "over {}: expected a time of at most {} s without a space, as in over 2s or over 50ms",
        quote(word), kLongestGlide);
  }
  return seconds;
}

ControlLine::Value parse_value(std::string_view word, const std::vector<std::string>& names) {
  const size_t equals = word.rfind('=');
  if (equals == 0 || equals == std::string_view::npos) {
    fail_usage(
        "{}: expected words NAME=VALUE without spaces in them, then perhaps over and a time, as in "
        "{}=0.7 over 2s",
        quote(word), names.empty() ? "wind" : names.back());
  }
  const std::string_view name = word.substr(0, equals), text = word.substr(equals + 1);
  const int64_t index = find_control(name, names);
  std::string_view behind;
  const double number = leading_number(text, behind);
  if (!behind.empty() || !(std::abs(number) <= kMaxConditioning)) {
    fail_usage("{}={}: expected a number within ±{}, as in {}=0.7", name, quote(text),
               kMaxConditioning, name);
  }
  return {index, static_cast<float>(number)};
}

}  // namespace

int64_t find_control(std::string_view name, const std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    fail_usage("{}: no such class or parameter; the model has {}", quote(name),
               fmt::join(names, ", "));
  }
  return found - names.begin();
}

ControlLine parse_control_line(std::string_view line, const std::vector<std::string>& names) {
  std::vector<std::string_view> words = words_of(line);
  words.erase(std::ranges::find_if(words, [](auto word) { return word.starts_with('#'); }),
              words.end());
  ControlLine parsed;
  if (words.empty()) return parsed;
  if (words.size() >= 2 && words[words.size() - 2] == "over") {
    parsed.seconds = parse_time(words.back());
    words.resize(words.size() - 2);
    if (words.empty()) fail_usage("{}: nothing that is to move", quote(line));
  }
  if (const auto over = std::ranges::find(words, "over"); over != words.end()) {
    fail_usage(
        "{}: expected one time behind over, at the line's end and without a space, as in "
        "over 2s or over 50ms",
        quote(line));
  }
  for (const std::string_view word : words) parsed.values.push_back(parse_value(word, names));
  return parsed;
}

}  // namespace dsf
