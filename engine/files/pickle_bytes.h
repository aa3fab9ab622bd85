#pragma once
// The operands of a pickle's opcodes.
#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>

#include "engine/files/pickle_builder.h"

namespace dsf {

/// Reads forward; asking for more than there is raises an Error.
class PickleBytes {
 public:
  PickleBytes(std::span<const std::byte> bytes, const PickleBuilder& builder)
      : bytes_(bytes), builder_(builder) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  std::span<const std::byte> take(uint64_t count) {
    if (count > left()) builder_.fail_here("{} bytes are expected, {} are left", count, left());
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  /// A little-endian number.
  template <class T>
  T integer() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  /// Two's complement, little-endian, of any length; at most 8 bytes are a number here.
  int64_t long_integer(uint64_t count) {
    const auto digits = take(count);
    if (count > sizeof(int64_t)) builder_.fail_here("an integer has {} bytes, at most 8", count);
    const bool negative = count > 0 && (digits.back() & std::byte{0x80}) != std::byte{0};
    int64_t value = negative ? -1 : 0;
    if (count > 0) std::memcpy(&value, digits.data(), count);
    return value;
  }

  double big_endian_double() {
    std::array<std::byte, sizeof(double)> reversed{};
    const auto digits = take(reversed.size());
    std::copy(digits.rbegin(), digits.rend(), reversed.begin());
    double value = 0;
    std::memcpy(&value, reversed.data(), sizeof value);
    return value;
  }

  std::string text(uint64_t count) {
    const auto characters = take(count);
    return {reinterpret_cast<const char*>(characters.data()), characters.size()};
  }

  Bytes raw(uint64_t count) {
    const auto content = take(count);
    return {{content.begin(), content.end()}};
  }

  /// A name that ends with a line feed.
  std::string line() {
    constexpr size_t kLongest = 256;
    std::string name;
    for (char c = text(1)[0]; c != '\n'; c = text(1)[0]) {
      name += c;
      if (name.size() > kLongest) builder_.fail_here("a name is longer than {} bytes", kLongest);
    }
    return name;
  }

 private:
  std::span<const std::byte> bytes_;
  const PickleBuilder& builder_;  // knows the place that an error names
  size_t position_ = 0;
};

}  // namespace dsf
