#pragma once
// JSON that takes a careless reader minutes.
#include <chrono>
#include <string>

namespace dsf::testing {

/// An object of so many different keys.
inline std::string many_keys(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  }
  return text + "}";
}

template <class Work>
double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Seconds: a limit that even sanitizers on a busy machine keep by far, where comparing each of
/// half a million keys with each would take minutes.
inline constexpr double kSoon = 20;

}  // namespace dsf::testing
