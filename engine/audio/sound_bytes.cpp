#include "engine/audio/sound_bytes.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace dsf {
namespace {

enum class Order { little, big };

/// `size` ≤ 8 bytes as a number; 0 where the file ends before.
uint64_t number_at(const InputFile& file, uint64_t offset, size_t size, Order order) {
  std::array<std::byte, 8> bytes{};
  if (offset > file.size() || file.size() - offset < size) return 0;
  file.read(offset, std::span(bytes).first(size));
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    const size_t place = order == Order::big ? i : size - 1 - i;
    value = value << 8U | std::to_integer<uint64_t>(bytes[place]);
  }
  return value;
}

/// Four characters; empty where the file ends before.
std::string text_at(const InputFile& file, uint64_t offset) {
  std::string text(4, '\0');
  if (offset > file.size() || file.size() - offset < text.size()) return {};
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

/// Where the samples begin, and how many bytes they are said to be.
struct Samples {
  uint64_t begin = 0, bytes = 0;
};

/// Of a list of chunks that begins behind a header of 12 bytes.
std::optional<Samples> find_chunk(const InputFile& file, std::string_view wanted, Order order) {
  constexpr int kMostChunks = 4096;  // a file of nothing else takes no hours
  uint64_t large = 0;  // size of the samples of an RF64, whose chunk has no place for it
  uint64_t offset = 12;
  for (int i = 0; i < kMostChunks && offset < file.size(); ++i) {
    const std::string name = text_at(file, offset);
    const uint64_t bytes = number_at(file, offset + 4, 4, order);
    offset += 8;
    if (name == "ds64") large = number_at(file, offset + 8, 8, order);
    if (name == wanted) return Samples{offset, bytes == 0xFFFFFFFF && large > 0 ? large : bytes};
    offset += bytes + bytes % 2;
  }
  return std::nullopt;
}

std::optional<Samples> find_samples(const InputFile& file) {
  const std::string kind = text_at(file, 0);
  if (kind == "RIFF" || kind == "RF64") return find_chunk(file, "data", Order::little);
  if (kind == "RIFX") return find_chunk(file, "data", Order::big);
  if (kind == "FORM") return find_chunk(file, "SSND", Order::big);
  const auto header = [&](Order order) {
    return Samples{number_at(file, 4, 4, order), number_at(file, 8, 4, order)};
  };
  if (kind == ".snd") return header(Order::big);
  if (kind == "dns.") return header(Order::little);
  return std::nullopt;
}

/// What programs write that do not know the length yet, more or less headers and whole frames.
bool is_placeholder(uint64_t bytes) {
  constexpr uint64_t kAbout = 65536;
  constexpr std::array<uint64_t, 3> kLargest = {0x7F000000, 0x7FFFFFFF, 0xFFFFFFFF};
  return bytes == 0 || std::ranges::any_of(kLargest, [bytes](uint64_t largest) {
           return bytes + kAbout > largest && bytes < largest + kAbout;
         });
}

}  // namespace

uint64_t missing_sound_bytes(const InputFile& file) {
  const std::optional<Samples> samples = find_samples(file);
  if (!samples || is_placeholder(samples->bytes)) return 0;
  const uint64_t there = file.size() - std::min(file.size(), samples->begin);
  return samples->bytes - std::min(samples->bytes, there);
}

bool is_cut_ogg(const InputFile& file) {
  constexpr uint64_t kHeader = 27, kMostSegments = 255, kMostOfSegment = 255;
  constexpr uint64_t kLargestPage = kHeader + kMostSegments * (1 + kMostOfSegment);
  if (text_at(file, 0) != "OggS") return false;
  std::string tail(std::min(file.size(), kLargestPage), '\0');
  file.read(file.size() - tail.size(), std::as_writable_bytes(std::span(tail)));
  const size_t last = tail.rfind("OggS");
  if (last == std::string::npos || tail.size() - last < kHeader) return true;
  const std::string_view page = std::string_view(tail).substr(last);
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(page[i]); };
  const size_t body = kHeader + byte(26);
  if (page.size() < body) return true;
  size_t bytes = body;
  for (size_t i = kHeader; i < body; ++i) bytes += byte(i);
  const bool ends_stream = (byte(5) & 4U) != 0;
  return !ends_stream || page.size() < bytes;
}

}  // namespace dsf
