#include "apps/stream/osc_packet.h"

#include <bit>
#include <cmath>
#include <optional>
#include <string_view>

#include "engine/files/quote.h"
#include "engine/generation/morph.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr std::string_view kBundle("#bundle\0", 8);
constexpr size_t kTime = 8;  // bytes of a bundle's
constexpr int kDeepest = 8;  // of bundles in bundles

/// Takes what a packet is made of from its front; what is not there is a UsageError.
class OscBytes {
 public:
  explicit OscBytes(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::string_view take(size_t count) {
    if (count > bytes_.size()) {
      fail_usage("OSC: {} bytes are left, expected {}", bytes_.size(), count);
    }
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  /// Ends with a 0 and fills up four bytes.
  std::string_view take_text() {
    const size_t end = bytes_.find('\0');
    if (end == std::string_view::npos) fail_usage("OSC: text without an end");
    return take(end / 4 * 4 + 4).substr(0, end);
  }
  /// The most significant byte comes first.
  uint64_t take_number(size_t width) {
    uint64_t number = 0;
    for (const char byte : take(width)) number = number << 8U | static_cast<unsigned char>(byte);
    return number;
  }

 private:
  std::string_view bytes_;
};

double take_value(OscBytes& bytes, char type, std::string_view address) {
  switch (type) {
    case 'f':
      return std::bit_cast<float>(static_cast<uint32_t>(bytes.take_number(4)));
    case 'd':
      return std::bit_cast<double>(bytes.take_number(8));
    case 'i':
      return static_cast<int32_t>(bytes.take_number(4));
    case 'h':
      return static_cast<double>(static_cast<int64_t>(bytes.take_number(8)));
    default:
      fail_usage("OSC {}: a value of type {}, expected a number (f, d, i or h)", quote(address),
                 quote({&type, 1}));
  }
}

ControlLine parse_message(std::string_view message, const std::vector<std::string>& names) {
  OscBytes bytes(message);
  const std::string_view address = bytes.take_text();
  if (!address.starts_with('/')) {
    fail_usage("OSC {}: expected /NAME VALUE [SECONDS]", quote(address));
  }
  ControlLine line;
  const int64_t index = find_control(address.substr(1), names);
  const std::string_view types = bytes.empty() ? std::string_view() : bytes.take_text();
  if (!types.starts_with(',') || types.size() < 2 || types.size() > 3) {
    fail_usage("OSC {}: values of types {}, expected a number and perhaps seconds, as in ',ff'",
               quote(address), quote(types));
  }
  const double value = take_value(bytes, types[1], address);
  if (types.size() == 3) line.seconds = take_value(bytes, types[2], address);
  if (!bytes.empty()) fail_usage("OSC {}: bytes behind its values", quote(address));
  if (!(std::abs(value) <= kMaxConditioning)) {
    fail_usage("OSC {}: {}, expected a number within ±{}", quote(address), value, kMaxConditioning);
  }
  if (!(line.seconds >= 0 && line.seconds <= kLongestGlide)) {
    fail_usage("OSC {}: over {}, expected seconds from 0 to {}", quote(address), line.seconds,
               kLongestGlide);
  }
  line.values.push_back({index, static_cast<float>(value)});
  return line;
}

void parse_element(std::string_view element, const std::vector<std::string>& names, int depth,
                   std::vector<ControlLine>& lines) {
  if (!element.starts_with(kBundle)) {
    ControlLine line = parse_message(element, names);
    if (!lines.empty() && lines.back().seconds == line.seconds) {
      lines.back().values.push_back(line.values.front());
    } else {
      lines.push_back(std::move(line));
    }
    return;
  }
  if (depth > kDeepest) fail_usage("OSC: more than {} bundles in one another", kDeepest);
  OscBytes bytes(element.substr(kBundle.size()));
  bytes.take(kTime);
  while (!bytes.empty()) {
    const uint64_t size = bytes.take_number(4);
    parse_element(bytes.take(size), names, depth + 1, lines);
  }
}

}  // namespace

std::vector<ControlLine> parse_osc(std::span<const char> packet,
                                   const std::vector<std::string>& names) {
  std::vector<ControlLine> lines;
  parse_element({packet.data(), packet.size()}, names, 0, lines);
  return lines;
}

}  // namespace dsf
