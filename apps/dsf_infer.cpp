// Generates new sound from a trained model.
#include <spdlog/spdlog.h>

#include <cmath>

#include "apps/app.h"
#include "engine/codec/codec_location.h"
#include "engine/generation/run.h"

namespace {

/// What needs parsing beyond what CLI11 does.
struct Arguments {
  std::string device = "cpu";
  std::string format = "wav16";
  std::vector<std::string> parameters;
};

void add_options(CLI::App& app, dsf::GenerationJob& job, Arguments& arguments) {
  dsf::GenerationRequest& request = job.request;
  app.add_option("MODEL", job.model,
                 "A run's folder, a .safetensors checkpoint or an upstream .pth")
      ->required();
  app.add_option(
      "--checkpoint", job.checkpoint,
      "Of a run's folder: latest, best (by validation loss) or a file (default: the best "
      "if there is one, else the latest)");
  app.add_option("--class", request.class_name, "Sound class (default: the model's first)");
  app.add_option("--param", arguments.parameters, "Parameter, 0.5 where not given")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_option("--morph", request.morph,
                 "constant, sweep, classes, overlap, middle, or a .yaml or .csv file of "
                 "breakpoints")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  app.add_option("--duration", request.duration,
                 "Seconds of 86 frames (default: as long as a morph file in seconds, else 10)");
  app.add_option("--top-n", request.sampling.top_n, "Draw from so many likeliest codes")
      ->capture_default_str();
  app.add_option("--temperature", request.sampling.temperature,
                 "Below 1 more predictable, above 1 less")
      ->capture_default_str();
  app.add_option("--seed", request.seed, "Same seed, same output")->capture_default_str();
  app.add_option("--count", request.count,
                 "Variations, with seeds from --seed upwards, generated together")
      ->capture_default_str();
  app.add_option("--prime", request.prime,
                 "What to go on from: none (our class's default: its start frame), random "
                 "(upstream's default: Ti random frames) or a .dac; with --stereo one or two")
      ->type_name("none|random|FILE")
      ->allow_extra_args(false);
  app.add_flag("--stereo", request.stereo, "Two channels, from two seeds");
  app.add_flag("--loop", request.loop, "Sound that can be repeated without a seam");
  app.add_option("--codec", job.codec,
                 "DAC weights (default: ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth)");
  app.add_option("--format", arguments.format, "wav16, wav24, wavfloat or flac")
      ->capture_default_str();
  app.add_option("--out", job.output.directory, "Folder for the files")->capture_default_str();
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

int run(const dsf::GenerationJob& job, const std::string& device) {
  const dsf::Context ctx{dsf::parse_device(device)};
  switch (dsf::run_generation(ctx, job, dsf::stop_on_signals())) {
    case dsf::GenerationOutcome::stopped:
      return dsf::kStoppedExitCode;
    case dsf::GenerationOutcome::done_without_sound:
      spdlog::warn("no sound: {}; the .dac can be decoded later with dsf_codec decode",
                   dsf::codec_advice("--codec"));
      break;
    case dsf::GenerationOutcome::done:
      break;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Generates sound from a trained model: .dac, sound, a picture and a .json side-car.",
               "dsf_infer");
  dsf::CommonOptions common;
  dsf::GenerationJob job;
  job.output.directory = "out";
  Arguments arguments;
  add_options(app, job, arguments);
  dsf::add_common_options(
      app, common,
      "  dsf_infer runs/smalltest --class DSWind --param strength=0.7 --codec weights.pth\n"
      "  dsf_infer runs/smalltest --morph sweep --duration 30 --seed 4\n"
      "  dsf_infer runs/smalltest --morph configs/morphs/gusts.yaml --stereo\n"
      "  dsf_infer runs/smalltest --class DSBugs --loop --duration 8\n"
      "  dsf_infer runs/smalltest --count 20 --seed 100\n"
      "  dsf_infer runs/smalltest --prime out/smalltest-DSWind-seed0.dac\n"
      "  dsf_infer upstream_chkpt_0200.pth --morph classes --top-n 20");
  return dsf::run_app(app, argc, argv, common, [&] {
    check_sampling(job.request.sampling);
    job.request.parameters = parse_parameters(arguments.parameters);
    job.output.format = dsf::parse_audio_format(arguments.format);
    job.progress = dsf::Progress::style_for(common.quiet);
    return run(job, arguments.device);
  });
}
