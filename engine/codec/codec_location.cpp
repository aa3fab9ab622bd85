#include "engine/codec/codec_location.h"

#include <cstdlib>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCached = ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth";  // below ~

}  // namespace

fs::path find_codec(const fs::path& wanted) {
  if (!wanted.empty()) {
    if (!fs::exists(wanted)) fail("{}: codec weights not found", wanted.string());
    return wanted;
  }
  const char* home = std::getenv("HOME");
  if (!home) return {};
  const fs::path cached = fs::path(home) / kCached;
  std::error_code unreadable;  // a home that may not be looked into holds none for us
  return fs::exists(cached, unreadable) ? cached : fs::path();
}

std::string codec_advice(std::string_view option) {
  return fmt::format(
      "give DAC weights with {} FILE (the official 44.1 kHz ones are weights.pth of release 0.0.1 "
      "of github descriptinc/descript-audio-codec), or put them at ~/{}",
      option, kCached);
}

}  // namespace dsf
