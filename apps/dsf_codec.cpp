// Turns sound into .dac files and these into sound.
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <optional>

#include "apps/app.h"
#include "engine/codec/codec_location.h"
#include "engine/codec/decode_files.h"
#include "engine/codec/encode_files.h"
#include "engine/files/quote.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// What all subcommands take.
struct Model {
  fs::path weights;
  std::string device = "cpu";

  dsf::Codec load(dsf::CodecUse use) const {
    const dsf::Context ctx = dsf::make_context(device);
    const fs::path found = dsf::find_codec(weights);
    if (found.empty()) dsf::fail_usage("no codec weights: {}", dsf::codec_advice("--weights"));
    return dsf::Codec::load(found, ctx, use);
  }
};

struct DecodeArguments {
  dsf::DecodeRequest request;
  Model model;
  std::string format = "wav16";
};

struct EncodeArguments {
  dsf::EncodeRequest request;
  Model model;
  std::string loudness = "-16";
};

void add_model_options(CLI::App& command, Model& model) {
  command.add_option("--weights", model.weights,
                     "DAC weights (default: ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth)");
  dsf::add_device_option(command, model.device);
}

void complain(const std::string& text) {
  spdlog::error("{}", dsf::printable(text));
}

/// The exit code of a run in which some files may have failed.
int exit_code(int64_t failed, bool stopped) {
  if (stopped) return dsf::kStoppedExitCode;
  return failed > 0 ? 1 : 0;
}

void add_decode_options(CLI::App& decode, DecodeArguments& arguments) {
  decode
      .add_option("INPUT", arguments.request.inputs,
                  ".dac files, and folders whose .dac files are all taken, at any depth")
      ->required();
  decode
      .add_option("--output", arguments.request.output,
                  "Folder for the sound files; the folders of a folder are made in it")
      ->required();
  decode.add_option("--format", arguments.format, "wav16, wav24, wavfloat or flac")
      ->capture_default_str();
  add_model_options(decode, arguments.model);
}

void add_encode_options(CLI::App& encode, EncodeArguments& arguments) {
  dsf::EncodeRequest& request = arguments.request;
  encode
      .add_option("INPUT", request.inputs,
                  "Sound files (WAV, FLAC, OGG, AIFF …), and folders whose sound files are all "
                  "taken, at any depth")
      ->required();
  encode
      .add_option("--output", request.output,
                  "Folder for the .dac files; the folders of a folder are made in it")
      ->required();
  encode
      .add_option("--n-quantizers", request.options.n_codebooks,
                  "Codebooks that are kept, the first ones; all where the codec has fewer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  encode
      .add_option("--win-duration", request.options.window_seconds,
                  "Seconds; longer sound is encoded in windows of these")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 3600.0));
  encode
      .add_option("--normalize-db", arguments.loudness,
                  "LUFS that the sound is brought to before, or off; decoding brings it back")
      ->capture_default_str();
  encode.add_flag("--mono", request.mono, "Mix all channels down to one");
  encode.add_flag("--overwrite", request.overwrite,
                  "Encode also where a finished .dac file is there already");
  add_model_options(encode, arguments.model);
}

std::optional<double> parse_loudness(const std::string& text) {
  if (text == "off") return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= -70 && value <= 0)) {
    dsf::fail_usage("--normalize-db '{}': expected LUFS from -70 to 0, or off", text);
  }
  return value;
}

int decode(DecodeArguments& arguments, const dsf::CommonOptions& common) {
  dsf::DecodeRequest& request = arguments.request;
  request.format = dsf::parse_audio_format(arguments.format);
  request.progress = dsf::Progress::style_for(common.quiet);
  const dsf::Codec codec = arguments.model.load(dsf::CodecUse::decode);
  const std::atomic<bool>& stop = dsf::stop_on_signals();
  const auto begin = Clock::now();
  const dsf::DecodeSummary summary = dsf::decode_files(codec, request, complain, stop);
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  spdlog::info("decoded {} of {} files to {}: {:.1f} s of sound in {:.1f} s ({:.2f} × real time)",
               summary.decoded, summary.files, dsf::printable(request.output.string()),
               summary.sound, elapsed.count(), summary.sound / elapsed.count());
  return exit_code(summary.failed, stop);
}

int encode(EncodeArguments& arguments, const dsf::CommonOptions& common) {
  dsf::EncodeRequest& request = arguments.request;
  request.options.loudness = parse_loudness(arguments.loudness);
  request.progress = dsf::Progress::style_for(common.quiet);
  const dsf::Codec codec = arguments.model.load(dsf::CodecUse::encode);
  const std::atomic<bool>& stop = dsf::stop_on_signals();
  const auto begin = Clock::now();
  const dsf::EncodeSummary summary = dsf::encode_files(codec, request, complain, stop);
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  if (summary.skipped > 0) {
    spdlog::info("{} files were encoded already; --overwrite encodes them again", summary.skipped);
  }
  spdlog::info("encoded {} of {} files to {}: {:.1f} s of sound in {:.1f} s ({:.2f} × real time)",
               summary.encoded, summary.files, dsf::printable(request.output.string()),
               summary.sound, elapsed.count(), summary.sound / elapsed.count());
  return exit_code(summary.failed, stop);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The Descript Audio Codec: sound to .dac files, .dac files to sound.", "dsf_codec");
  dsf::CommonOptions common;
  EncodeArguments to_encode;
  DecodeArguments to_decode;
  app.require_subcommand(1);
  app.fallthrough();  // the common options may follow the subcommand
  dsf::add_common_options(
      app, common,
      "  dsf_codec encode recordings/ --output dac --weights weights.pth\n"
      "  dsf_codec decode out/smalltest-DSWind-seed0.dac --output wav --weights weights.pth\n"
      "  dsf_codec decode my_sounds/ more.dac --output wav --format flac\n"
      "Exit code: 0 all done, 1 one failed (the others are done all the same), 2 misused");
  CLI::App* const encoding = app.add_subcommand("encode", "Encodes sound files to .dac files");
  add_encode_options(*encoding, to_encode);
  CLI::App* const decoding = app.add_subcommand("decode", "Decodes .dac files to sound files");
  add_decode_options(*decoding, to_decode);
  return dsf::run_app(app, argc, argv, common, [&] {
    return encoding->parsed() ? encode(to_encode, common) : decode(to_decode, common);
  });
}
