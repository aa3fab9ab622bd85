// Generates new sound from a trained model.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>

#include "apps/app.h"
#include "engine/generation/output.h"
#include "engine/logging/progress.h"
#include "engine/training/run_folder.h"

namespace {

namespace fs = std::filesystem;

struct Arguments {
  fs::path model;
  std::string checkpoint;
  fs::path codec;
  fs::path out = "out";
  std::string device = "cpu";
  std::string format = "wav16";
  std::vector<std::string> parameters;
  dsf::GenerationRequest request;
};

void add_options(CLI::App& app, Arguments& arguments) {
  dsf::GenerationRequest& request = arguments.request;
  app.add_option("MODEL", arguments.model,
                 "A run's folder, a .safetensors checkpoint or an upstream .pth")
      ->required();
  app.add_option(
      "--checkpoint", arguments.checkpoint,
      "Of a run's folder: latest, best (by validation loss) or a file (default: the best "
      "if there is one, else the latest)");
  app.add_option("--class", request.class_name, "Sound class (default: the model's first)");
  app.add_option("--param", arguments.parameters, "Parameter, 0.5 where not given")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_option("--morph", request.morph, "constant, sweep, classes, overlap or middle")
      ->capture_default_str();
  app.add_option("--duration", request.duration, "Seconds of 86 frames")->capture_default_str();
  app.add_option("--top-n", request.options.sampling.top_n, "Draw from so many likeliest codes")
      ->capture_default_str();
  app.add_option("--temperature", request.options.sampling.temperature,
                 "Below 1 more predictable, above 1 less")
      ->capture_default_str();
  app.add_option("--seed", request.options.seed, "Same seed, same output")->capture_default_str();
  app.add_option("--codec", arguments.codec,
                 "DAC weights (default: ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth)");
  app.add_option("--format", arguments.format, "wav16, wav24, wavfloat or flac")
      ->capture_default_str();
  app.add_option("--out", arguments.out, "Folder for the files")->capture_default_str();
  dsf::add_device_option(app, arguments.device);
}

std::map<std::string, float> parse_parameters(const std::vector<std::string>& words) {
  std::map<std::string, float> parameters;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    size_t parsed = 0;
    float value = std::nanf("");
    try {
      if (equals != std::string::npos) value = std::stof(word.substr(equals + 1), &parsed);
    } catch (const std::exception&) {
      parsed = 0;  // not a number: reported below
    }
    if (equals == 0 || equals == std::string::npos || !std::isfinite(value) ||
        parsed != word.size() - equals - 1) {
      dsf::fail_usage("--param {}: expected NAME=VALUE, as in rate=0.7", word);
    }
    parameters[word.substr(0, equals)] = value;
  }
  return parameters;
}

void check_sampling(const dsf::SampleSettings& sampling) {
  if (sampling.top_n < 1) dsf::fail_usage("--top-n {}: must be at least 1", sampling.top_n);
  if (!(sampling.temperature > 0) || !std::isfinite(sampling.temperature)) {
    dsf::fail_usage("--temperature {}: must be above 0", sampling.temperature);
  }
}

/// "smalltest-DSWind-seed0", "smalltest-sweep-seed3".
std::string output_name(const fs::path& model, const dsf::GenerationRequest& request,
                        const dsf::CheckpointInfo& info) {
  const fs::path clean = model.lexically_normal();
  const std::string run =
      (clean.has_filename() ? clean.stem() : clean.parent_path().stem()).string();
  std::string kind = request.morph;
  if (request.morph == "constant") {
    kind = !request.class_name.empty() || info.class_names.empty() ? request.class_name
                                                                   : info.class_names[0];
  }
  return fmt::format("{}-{}-seed{}", run, kind, request.options.seed);
}

int run(const Arguments& arguments, const dsf::CommonOptions& common) {
  using Clock = std::chrono::steady_clock;
  const dsf::Context ctx{dsf::parse_device(arguments.device)};
  const dsf::GenerationRequest& request = arguments.request;
  dsf::GenerationOutput output;
  output.directory = arguments.out;
  output.format = dsf::parse_audio_format(arguments.format);
  output.codec = dsf::find_codec(arguments.codec);
  output.model = dsf::choose_checkpoint(arguments.model, arguments.checkpoint);
  dsf::TrainedModel model = dsf::read_model(output.model);
  spdlog::info("{}: epoch {}", output.model.string(), model.info.epoch);
  output.name = output_name(arguments.model, request, model.info);
  const dsf::Conditioning conditioning = dsf::plan_conditioning(model.info, request);

  const std::atomic<bool>& stop = dsf::stop_on_signals();
  const auto begin = Clock::now();
  dsf::DacFile codes;
  {
    dsf::Progress progress(dsf::Progress::style_for(common.quiet), conditioning.frames);
    codes = dsf::generate(
        ctx, model, conditioning, request.options,
        [&](int64_t frames) { progress.update(frames, "generating"); }, stop);
  }
  if (stop) return dsf::kStoppedExitCode;
  const std::chrono::duration<double> generated = Clock::now() - begin;
  const auto files = dsf::write_generation(ctx, output, request, model.info, conditioning, codes);
  const std::chrono::duration<double> total = Clock::now() - begin;
  const double seconds =
      static_cast<double>(codes.frames) / static_cast<double>(dsf::kFramesPerSecond);
  spdlog::info(
      "{} frames in {:.2f} s ({:.1f} × real time), with decoding and files {:.2f} s "
      "({:.1f} × real time)",
      codes.frames, generated.count(), seconds / generated.count(), total.count(),
      seconds / total.count());
  for (const fs::path& file : files) spdlog::info("wrote {}", file.string());
  if (output.codec.empty()) {
    spdlog::warn(
        "no sound: give DAC weights with --codec FILE (the official 44.1 kHz ones are "
        "weights.pth of release 0.0.1 of github descriptinc/descript-audio-codec), or put "
        "them at ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth; the .dac can be "
        "decoded later with dsf_codec decode");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Generates sound from a trained model: .dac, sound, a picture and a .json side-car.",
               "dsf_infer");
  dsf::CommonOptions common;
  Arguments arguments;
  add_options(app, arguments);
  dsf::add_common_options(
      app, common,
      "  dsf_infer runs/smalltest --class DSWind --param strength=0.7 --codec weights.pth\n"
      "  dsf_infer runs/smalltest --morph sweep --duration 30 --seed 4\n"
      "  dsf_infer upstream_chkpt_0200.pth --morph classes --top-n 20");
  return dsf::run_app(app, argc, argv, common, [&] {
    check_sampling(arguments.request.options.sampling);
    arguments.request.parameters = parse_parameters(arguments.parameters);
    return run(arguments, common);
  });
}
