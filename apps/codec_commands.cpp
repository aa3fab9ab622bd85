#include "apps/codec_commands.h"

#include <spdlog/spdlog.h>

#include <cstdlib>

#include "engine/codec/codec_location.h"
#include "engine/files/bundled_data.h"
#include "engine/files/quote.h"

namespace dsf {

namespace {

/// The official weights, else, with a warning, the bundled ones.
std::filesystem::path usual_codec() {
  if (std::filesystem::path cached = cached_codec(); !cached.empty()) return cached;
  std::filesystem::path bundled = bundled_codec();
  if (!is_bundled(bundled)) {
    fail_usage("no codec weights: {}; nor is there a bundled codec: {}", codec_advice("--weights"),
               describe_missing(bundled));
  }
  spdlog::warn(
      "taking the codec that comes with dsf, {}, which knows textures only: the official weights "
      "are not there, and --weights names no others",
      printable(bundled.string()));
  return bundled;
}

}  // namespace

Codec CodecModel::load(CodecUse use) {
  const Context ctx = make_context(device, "fp32", convolutions);
  weights = weights.empty() ? usual_codec() : find_codec(weights);
  return Codec::load(weights, ctx, use);
}

void add_model_options(CLI::App& command, CodecModel& model) {
  command
      .add_option("--weights", model.weights,
                  "DAC weights: a file, bundled or official (default: the official ones if "
                  "~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth is there, else bundled)")
      ->type_name("FILE|bundled|official");
  add_device_option(command, model.device);
  add_convolutions_option(command, model.convolutions);
}

std::optional<double> parse_loudness(const std::string& text) {
  if (text == "off") return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= -70 && value <= 0)) {
    fail_usage("--normalize-db '{}': expected LUFS from -70 to 0, or off", text);
  }
  return value;
}

void complain(const std::string& text) {
  spdlog::error("{}", printable(text));
}

int codec_exit_code(int64_t failed, bool stopped) {
  if (stopped) return kStoppedExitCode;
  return failed > 0 ? 1 : 0;
}

}  // namespace dsf
