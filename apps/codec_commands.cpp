#include "apps/codec_commands.h"

#include <spdlog/spdlog.h>

#include <cstdlib>

#include "engine/codec/codec_location.h"
#include "engine/files/quote.h"

namespace dsf {

std::filesystem::path CodecModel::find() const {
  std::filesystem::path found = find_codec(weights);
  if (found.empty()) fail_usage("no codec weights: {}", codec_advice("--weights"));
  return found;
}

Codec CodecModel::load(CodecUse use) const {
  const Context ctx = make_context(device);
  return Codec::load(find(), ctx, use);
}

void add_model_options(CLI::App& command, CodecModel& model) {
  command.add_option("--weights", model.weights,
                     "DAC weights (default: ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth)");
  add_device_option(command, model.device);
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
