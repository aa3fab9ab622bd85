#include "engine/codec/codec_location.h"

#include <cstdlib>

#include "engine/files/bundled_data.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCached = ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth";  // below ~
constexpr const char* kOfficialRelease =
    "weights.pth of release 0.0.1 of github descriptinc/descript-audio-codec";

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code absent;
  return fs::equivalent(a, b, absent);
}

/// From the root, without "..", which behind a link is another folder than the text says: links
/// before one are resolved. Others stay: they may be meant to move.
fs::path place_of(const fs::path& file) {
  fs::path whole = fs::absolute(file);
  fs::path place;
  for (const fs::path& part : whole) {
    if (part == ".") continue;
    place /= part;
    if (part != "..") continue;
    std::error_code absent;
    place = fs::canonical(place, absent);
    if (absent) return whole;
  }
  return place;
}

}  // namespace

fs::path cached_codec() {
  const char* home = std::getenv("HOME");
  if (!home) return {};
  const fs::path cached = fs::path(home) / kCached;
  std::error_code unreadable;  // a home that may not be looked into holds none for us
  return fs::exists(cached, unreadable) ? cached : fs::path();
}

fs::path find_codec(const fs::path& name) {
  if (name == kBundledCodec) {
    if (!is_bundled(bundled_codec())) {
      fail("no bundled codec: {}", describe_missing(bundled_codec()));
    }
    return bundled_codec();
  }
  if (name == kOfficialCodec) {
    fs::path cached = cached_codec();
    if (cached.empty()) {
      fail("no official codec weights: ~/{} is not there; they are {}", kCached, kOfficialRelease);
    }
    return cached;
  }
  std::error_code unreadable;
  if (!fs::exists(name, unreadable)) {
    fail(
        "{}: no such file of codec weights; expected one, or {} (the codec that comes with dsf) or "
        "{}",
        name.string(), kBundledCodec, kOfficialCodec);
  }
  return name;
}

std::string lasting_codec_name(const std::string& name) {
  if (name == kBundledCodec || name == kOfficialCodec) return name;
  std::error_code unreadable;
  if (!fs::is_regular_file(name, unreadable)) return "";
  return place_of(name).string();
}

std::string codec_name(const fs::path& file) {
  if (is_same_file(file, bundled_codec())) return std::string(kBundledCodec);
  if (is_same_file(file, cached_codec())) return std::string(kOfficialCodec);
  return place_of(file).string();
}

std::string codec_advice(std::string_view option) {
  return fmt::format(
      "give DAC weights with {} FILE (the official 44.1 kHz ones are {}), or put them at ~/{}",
      option, kOfficialRelease, kCached);
}

}  // namespace dsf
