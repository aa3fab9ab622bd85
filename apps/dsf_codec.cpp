// Turns sound into .dac files and these into sound.
#include <spdlog/spdlog.h>

#include <chrono>

#include "apps/codec_commands.h"
#include "engine/codec/decode_files.h"
#include "engine/codec/encode_files.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"

namespace {

using Clock = std::chrono::steady_clock;

struct DecodeArguments {
  dsf::DecodeRequest request;
  dsf::CodecModel model;
  std::string format = "wav16";
};

struct EncodeArguments {
  dsf::EncodeRequest request;
  dsf::CodecModel model;
  std::string loudness = "-16";
};

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
  dsf::add_model_options(decode, arguments.model);
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
                  "Seconds; longer sound is encoded in windows of these, which can meet in clicks")
      ->capture_default_str()
      ->check(dsf::real_from_to(0.01, 3600.0));
  encode
      .add_option("--normalize-db", arguments.loudness,
                  "LUFS that the sound is brought to before, or off; decoding brings it back")
      ->capture_default_str();
  encode.add_flag("--mono", request.mono, "Mix all channels down to one");
  encode.add_flag("--overwrite", request.overwrite,
                  "Encode also where a finished .dac file is there already");
  dsf::add_model_options(encode, arguments.model);
}

/// ": 4.2 s of sound in 0.6 s (7.00 × real time)"; nothing where there was nothing to do.
std::string describe_speed(double sound, Clock::time_point begin) {
  if (sound <= 0) return "";
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  return fmt::format(": {:.1f} s of sound in {:.1f} s ({:.2f} × real time)", sound, elapsed.count(),
                     sound / elapsed.count());
}

int decode(DecodeArguments& arguments, const dsf::CommonOptions& common,
           const std::atomic<bool>& stop) {
  dsf::DecodeRequest& request = arguments.request;
  request.format = dsf::parse_audio_format(arguments.format);
  request.progress = dsf::Progress::style_for(!common.informs());
  const dsf::Codec codec = arguments.model.load(dsf::CodecUse::decode);
  const auto begin = Clock::now();
  const dsf::DecodeSummary summary = dsf::decode_files(codec, request, dsf::complain, stop);
  spdlog::info("decoded {} of {} to {}{}", summary.decoded, dsf::counted(summary.files, "file"),
               dsf::printable(request.output.string()), describe_speed(summary.sound, begin));
  return dsf::codec_exit_code(summary.failed, stop);
}

int encode(EncodeArguments& arguments, const dsf::CommonOptions& common,
           const std::atomic<bool>& stop) {
  dsf::EncodeRequest& request = arguments.request;
  request.options.loudness = dsf::parse_loudness(arguments.loudness);
  request.progress = dsf::Progress::style_for(!common.informs());
  const dsf::Codec codec = arguments.model.load(dsf::CodecUse::encode);
  const auto begin = Clock::now();
  const dsf::EncodeSummary summary = dsf::encode_files(codec, request, dsf::complain, stop);
  if (summary.skipped > 0) {
    spdlog::info("{} encoded already; --overwrite encodes them again",
                 dsf::counted(summary.skipped, "file"));
  }
  spdlog::info("encoded {} of {} to {}{}", summary.encoded, dsf::counted(summary.files, "file"),
               dsf::printable(request.output.string()), describe_speed(summary.sound, begin));
  return dsf::codec_exit_code(summary.failed, stop);
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
      "  dsf_codec evaluate recordings/ wav/\n"
      "  dsf_codec dataset recordings/ --output mydata --seconds 5 --measure centroid",
      "0 all done, 1 one failed (the others are done all the same), 2 misused,\n"
      "130 interrupted");
  CLI::App* const encoding = app.add_subcommand("encode", "Encodes sound files to .dac files");
  add_encode_options(*encoding, to_encode);
  CLI::App* const decoding = app.add_subcommand("decode", "Decodes .dac files to sound files");
  add_decode_options(*decoding, to_decode);
  const dsf::CodecCommand evaluate = dsf::add_evaluate(app, common);
  const dsf::CodecCommand dataset = dsf::add_dataset(app, common);
  return dsf::run_stoppable_app(app, argc, argv, common, [&](const std::atomic<bool>& stop) {
    for (const dsf::CodecCommand& command : {evaluate, dataset}) {
      if (command.parsed->parsed()) return command.run(stop);
    }
    return encoding->parsed() ? encode(to_encode, common, stop) : decode(to_decode, common, stop);
  });
}
