#pragma once
// Errors and the checks that raise them.
#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace dsf {

/// What went wrong with data, files or the machine; an app that meets one exits with 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the caller asked for cannot be meant (unknown name, impossible size); an app exits with 2.
class UsageError : public Error {
 public:
  using Error::Error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void fail_usage(fmt::format_string<Args...> format, Args&&... args) {
  throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace dsf

/// Throws dsf::Error unless `condition` holds. The message states the condition and then what was
/// found: DSF_CHECK(x.cols() == w.dim(1), "x has {} columns, w takes {}", x.cols(), w.dim(1)).
#define DSF_CHECK(condition, ...)                                                                \
  do {                                                                                           \
    if (!(condition))                                                                            \
      ::dsf::fail("{}: {} does not hold: {}", __func__, #condition, ::fmt::format(__VA_ARGS__)); \
  } while (false)
