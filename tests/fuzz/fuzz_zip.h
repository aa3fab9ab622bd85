#pragma once
// Zip archives for the targets: checksums stop nearly every input that a fuzzer changes, so they
// are made right before the reader sees them, or the archive is made around an input.
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace dsf::fuzz {

inline uint32_t crc32(std::string_view bytes) {
  static const auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < table.size(); ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value & 1U ? 0xEDB88320U ^ value >> 1 : value >> 1;
      table[i] = value;
    }
    return table;
  }();
  uint32_t crc = ~0U;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFFU] ^ crc >> 8;
  return ~crc;
}

template <class T>
T number_at(std::string_view bytes, size_t at) {
  T value{};
  if (at <= bytes.size() && bytes.size() - at >= sizeof value) {
    std::memcpy(&value, bytes.data() + at, sizeof value);
  }
  return value;
}

/// The archive with the checksum of every entry that is stored as it is made right, in both of its
/// headers. What is no such entry stays as it is.
inline std::string with_right_checksums(std::string bytes) {
  constexpr std::string_view kCentral = "PK\x01\x02";
  for (size_t at = bytes.find(kCentral); at != std::string::npos;
       at = bytes.find(kCentral, at + kCentral.size())) {
    const size_t local = number_at<uint32_t>(bytes, at + 42);
    if (number_at<uint16_t>(bytes, at + 10) != 0) continue;  // compressed
    const size_t begin = local + 30 + number_at<uint16_t>(bytes, local + 26) +
                         number_at<uint16_t>(bytes, local + 28);
    const size_t size = number_at<uint32_t>(bytes, at + 20);
    if (begin > bytes.size() || size > bytes.size() - begin || at + 20 > bytes.size()) continue;
    const uint32_t crc = crc32(std::string_view(bytes).substr(begin, size));
    std::memcpy(bytes.data() + at + 16, &crc, sizeof crc);
    std::memcpy(bytes.data() + local + 14, &crc, sizeof crc);
  }
  return bytes;
}

struct ZipPart {
  std::string_view name;
  std::string_view content;
};

/// An archive whose entries are stored as they are.
inline std::string stored_zip(const std::vector<ZipPart>& parts) {
  std::string bytes, directory;
  const auto put16 = [](std::string& to, size_t value) {
    to += static_cast<char>(value & 0xFFU);
    to += static_cast<char>(value >> 8 & 0xFFU);
  };
  const auto put32 = [&](std::string& to, size_t value) {
    put16(to, value & 0xFFFFU);
    put16(to, value >> 16);
  };
  for (const ZipPart& part : parts) {
    const size_t local = bytes.size();
    const auto put_common = [&](std::string& to) {  // version, flags, method, time, date, sizes
      for (const size_t value : {10, 0, 0, 0, 33}) put16(to, value);
      put32(to, crc32(part.content));
      put32(to, part.content.size());
      put32(to, part.content.size());
      put16(to, part.name.size());
      put16(to, 0);
    };
    bytes += "PK\x03\x04";
    put_common(bytes);
    bytes.append(part.name).append(part.content);
    directory += "PK\x01\x02";
    put16(directory, 10);
    put_common(directory);
    for (int i = 0; i < 3; ++i) put16(directory, 0);  // comment, disk, attributes
    put32(directory, 0);
    put32(directory, local);
    directory += part.name;
  }
  std::string end = "PK\x05\x06";
  put32(end, 0);
  put16(end, parts.size());
  put16(end, parts.size());
  put32(end, directory.size());
  put32(end, bytes.size());
  put16(end, 0);
  return bytes + directory + end;
}

}  // namespace dsf::fuzz
