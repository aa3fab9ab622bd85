#pragma once

namespace dsf {

/// A line of source. As the default of a parameter, CodeLine::here() is the caller's.
/// (std::source_location, which Debian 12's clang-tidy does not know yet.)
struct CodeLine {
  const char* file;
  int line;

  static constexpr CodeLine here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace dsf
