#include "engine/files/pickle_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {

PickleWriter::PickleWriter(int protocol) : protocol_(protocol), pickle_("\x80") {
  DSF_CHECK(protocol == 2 || protocol == 3, "pickle protocol {}", protocol);
  opcode(static_cast<char>(protocol));
}

template <class T>
void PickleWriter::number(T value) {
  pickle_.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PickleWriter::indexed(char short_code, char long_code, uint32_t index) {
  if (std::in_range<uint8_t>(index)) {
    opcode(short_code);
    number(static_cast<uint8_t>(index));
  } else {
    opcode(long_code);
    number(index);
  }
}

void PickleWriter::memoize() {
  DSF_CHECK(memoized_ < std::numeric_limits<uint32_t>::max(), "{} memoized values", memoized_);
  indexed('q', 'r', memoized_++);
}

void PickleWriter::memoized(char code) {
  opcode(code);
  memoize();
}

bool PickleWriter::recall(const std::string& key) {
  const auto [found, is_new] = memo_.emplace(key, memoized_);
  if (is_new) return false;
  indexed('h', 'j', found->second);
  return true;
}

void PickleWriter::integer(int64_t value) {
  if (std::in_range<uint8_t>(value)) {
    opcode('K');
    number(static_cast<uint8_t>(value));
  } else if (std::in_range<uint16_t>(value)) {
    opcode('M');
    number(static_cast<uint16_t>(value));
  } else if (std::in_range<int32_t>(value)) {
    opcode('J');
    number(static_cast<int32_t>(value));
  } else {  // LONG1: its length, then two's complement
    opcode('\x8A');
    number(static_cast<uint8_t>(sizeof value));
    number(value);
  }
}

void PickleWriter::real(double value) {
  auto bytes = std::bit_cast<std::array<char, sizeof(double)>>(value);
  std::ranges::reverse(bytes);  // the one number that pickles keep big-endian
  opcode('G');
  pickle_.append(bytes.data(), bytes.size());
}

void PickleWriter::text(std::string_view value) {
  if (recall(fmt::format("text {}", value))) return;
  DSF_CHECK(std::in_range<uint32_t>(value.size()), "a text of {} bytes", value.size());
  opcode('X');
  number(static_cast<uint32_t>(value.size()));
  pickle_ += value;
  memoize();
}

void PickleWriter::bytes(std::span<const std::byte> value) {
  DSF_CHECK(protocol_ >= 3, "bytes in a pickle of protocol {}", protocol_);
  const std::string_view content(reinterpret_cast<const char*>(value.data()), value.size());
  if (recall(fmt::format("bytes {}", content))) return;
  if (std::in_range<uint8_t>(value.size())) {
    opcode('C');
    number(static_cast<uint8_t>(value.size()));
  } else {
    DSF_CHECK(std::in_range<uint32_t>(value.size()), "{} bytes in one piece", value.size());
    opcode('B');
    number(static_cast<uint32_t>(value.size()));
  }
  pickle_ += content;
  memoize();
}

void PickleWriter::global(std::string_view module, std::string_view name) {
  const std::string lines = fmt::format("{}\n{}\n", module, name);
  if (recall("global " + lines)) return;
  opcode('c');
  pickle_ += lines;
  memoize();
}

void PickleWriter::tuple(int count) {
  DSF_CHECK(count >= 1 && count <= 3, "{} values", count);
  memoized(static_cast<char>(0x85 + count - 1));
}

std::string PickleWriter::finish() {
  opcode('.');
  return std::move(pickle_);
}

}  // namespace dsf
