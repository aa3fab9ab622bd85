// Turns .dac files into sound.
#include <spdlog/spdlog.h>

#include <chrono>

#include "apps/app.h"
#include "engine/codec/codec_location.h"
#include "engine/codec/decode_files.h"
#include "engine/files/quote.h"

namespace {

namespace fs = std::filesystem;

struct Arguments {
  dsf::DecodeRequest request;
  fs::path weights;
  std::string device = "cpu";
  std::string format = "wav16";
};

void add_decode_options(CLI::App& decode, Arguments& arguments) {
  decode
      .add_option("INPUT", arguments.request.inputs,
                  ".dac files, and folders whose .dac files are all taken, at any depth")
      ->required();
  decode
      .add_option("--output", arguments.request.output,
                  "Folder for the sound files; the folders of a folder are made in it")
      ->required();
  decode.add_option("--weights", arguments.weights,
                    "DAC weights (default: ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth)");
  decode.add_option("--format", arguments.format, "wav16, wav24, wavfloat or flac")
      ->capture_default_str();
  dsf::add_device_option(decode, arguments.device);
}

int decode(Arguments& arguments, const dsf::CommonOptions& common) {
  using Clock = std::chrono::steady_clock;
  const dsf::Context ctx = dsf::make_context(arguments.device);
  dsf::DecodeRequest& request = arguments.request;
  request.format = dsf::parse_audio_format(arguments.format);
  request.progress = dsf::Progress::style_for(common.quiet);
  const fs::path weights = dsf::find_codec(arguments.weights);
  if (weights.empty()) {
    dsf::fail_usage("no codec weights: {}", dsf::codec_advice("--weights"));
  }
  const dsf::Codec codec = dsf::Codec::load(weights, ctx);
  const std::atomic<bool>& stop = dsf::stop_on_signals();
  const auto begin = Clock::now();
  const dsf::DecodeSummary summary = dsf::decode_files(
      codec, request, [](const std::string& text) { spdlog::error("{}", dsf::printable(text)); },
      stop);
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  spdlog::info("decoded {} of {} files to {}: {:.1f} s of sound in {:.1f} s ({:.2f} × real time)",
               summary.decoded, summary.files, dsf::printable(request.output.string()),
               summary.sound, elapsed.count(), summary.sound / elapsed.count());
  if (stop) return dsf::kStoppedExitCode;
  return summary.failed > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The Descript Audio Codec: .dac files to sound.", "dsf_codec");
  dsf::CommonOptions common;
  Arguments arguments;
  app.require_subcommand(1);
  app.fallthrough();  // the common options may follow the subcommand
  dsf::add_common_options(
      app, common,
      "  dsf_codec decode out/smalltest-DSWind-seed0.dac --output wav --weights weights.pth\n"
      "  dsf_codec decode my_sounds/ more.dac --output wav --format flac\n"
      "Exit code: 0 all decoded, 1 one failed (the others are decoded all the same), 2 misused");
  add_decode_options(*app.add_subcommand("decode", "Decodes .dac files to sound files"), arguments);
  return dsf::run_app(app, argc, argv, common, [&] { return decode(arguments, common); });
}
