// Generates new sound from a trained model.
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <string_view>

#include "apps/app.h"
#include "apps/stream/stream.h"
#include "engine/files/bundled_data.h"
#include "engine/files/quote.h"
#include "engine/generation/repeat.h"
#include "engine/generation/run.h"

namespace {

/// What needs parsing beyond what CLI11 does.
struct Arguments {
  std::string format = "wav16", weights = "fp32";
  std::vector<std::string> parameters;
  std::filesystem::path repeat;
};

void add_options(CLI::App& app, dsf::GenerationJob& job, Arguments& arguments) {
  dsf::GenerationRequest& request = job.request;
  app.add_option(
      "MODEL", job.model,
      "A run's folder, a .safetensors checkpoint or an upstream .pth (default: the model "
      "that comes with dsf)");
  app.add_option(
      "--checkpoint", job.checkpoint,
      "Of a run's folder: latest, best (by validation loss) or a file (default: the best "
      "if there is one, else the latest)");
  app.add_option("--class", request.class_name,
                 "Sound class (default: the model's first, or what --prime FILE was made with)");
  app.add_option("--param", arguments.parameters, "Parameter, 0.5 where not given")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_option("--morph", request.morph,
                 "constant, sweep, classes, tour, overlap, middle, or a .yaml or .csv file of "
                 "breakpoints (default: constant; tour where no MODEL, no class and no file to go "
                 "on from is given)")
      ->type_name("NAME|FILE");
  app.add_option("--duration", request.duration,
                 "Seconds of 86 frames, up to 86400, with --stream to 1e9 (default: as long as a "
                 "morph file in seconds, "
                 "else 10)");
  app.add_option("--top-n", request.sampling.top_n,
                 "Draw from so many likeliest codes (default: as the model says, else 100)");
  app.add_option("--temperature", request.sampling.temperature,
                 "Below 1 more predictable, above 1 less (default: as the model says, else 1)");
  app.add_option("--min-p", request.sampling.min_p,
                 "Leave out codes less likely than that times the likeliest, 0 to 1 (default: as "
                 "the model says, else 0)");
  dsf::add_seed_option(app, request.seed, "Same seed, same output");
  app.add_option("--count", request.count,
                 "Variations, with seeds from --seed upwards, generated together")
      ->capture_default_str();
  app.add_option("--prime", request.prime,
                 "What to go on from: none (our class's default: its start frame), random "
                 "(upstream's default: Ti random frames) or a .dac; with --stereo one or two")
      ->type_name("none|random|FILE")
      ->allow_extra_args(false);
  app.add_flag("--stereo", request.stereo, "Two channels, from two seeds");
  app.add_flag("--loop", request.loop, "Sound that can be repeated without a seam; needs a codec");
  app.add_option("--codec", job.codec,
                 "DAC weights: a file, bundled or official (default: those that the model says, "
                 "else ~/.cache/descript/dac/weights_44khz_8kbps_0.0.1.pth)")
      ->type_name("FILE|bundled|official");
  app.add_option("--format", arguments.format, "wav16, wav24, wavfloat or flac")
      ->capture_default_str();
  dsf::add_device_option(app, job.device);
  dsf::add_precision_option(app, job.precision);
  app.add_option(
         "--weights", arguments.weights,
         "What our class's weights are kept in on the CPU: fp32, bf16 or int8; smaller ones "
         "are read faster, and other codes are drawn")
      ->capture_default_str();
  CLI::Option* repeat = app.add_option("--repeat", arguments.repeat,
                                       "The .json of a run that is to be made again; MODEL and "
                                       "--codec then say where its files are, if elsewhere")
                            ->type_name("FILE");
  for (CLI::Option* option : app.get_options()) {
    const std::string name = option->get_name();
    if (option == repeat || name == "--help" || name == "MODEL" || name == "--codec") continue;
    repeat->excludes(option);
  }
  app.add_option("--out", job.folder, "Folder for the files")->capture_default_str();
}

/// All of `text` as a number in its plain decimal form: no sign before it but a minus, no space, no
/// hexadecimal digits.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && rest == end;
}

std::map<std::string, float> parse_parameters(const std::vector<std::string>& words) {
  std::map<std::string, float> parameters;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == 0 || equals == std::string::npos) {
      dsf::fail_usage("--param {}: expected NAME=VALUE, as in rate=0.7", word);
    }
    float value = 0;
    if (!parse_number(std::string_view(word).substr(equals + 1), value)) {
      dsf::fail_usage("--param {}: '{}' is no number, expected one as in rate=0.7", word,
                      word.substr(equals + 1));
    }
    if (!parameters.emplace(word.substr(0, equals), value).second) {
      dsf::fail_usage("--param {}: {} was given before", word, word.substr(0, equals));
    }
  }
  return parameters;
}

/// The job that a side-car describes, at the places that this command line names.
dsf::GenerationJob repeated(const dsf::GenerationJob& given, const std::filesystem::path& sidecar) {
  dsf::GenerationJob job = dsf::read_repeat(sidecar);
  if (!given.model.empty()) job.model = given.model;
  if (!given.codec.empty()) {
    job.codec = given.codec;
    job.without_codec = false;
  }
  job.folder = given.folder;
  return job;
}

bool goes_on_from_files(const dsf::GenerationRequest& request) {
  return std::ranges::any_of(request.prime, [](const std::string& source) {
    return source != "none" && source != "random";
  });
}

/// What a tour moves in each class: the parameters that have no value of the caller's.
std::string what_rises(const dsf::GenerationJob& job, const dsf::CheckpointInfo& info) {
  std::vector<std::string> names = info.parameter_names;
  std::erase_if(names, [&](const auto& name) { return job.request.parameters.contains(name); });
  if (names.empty()) return "";
  return fmt::format("; in each of them {} {} from 0 to 1", fmt::join(names, ", "),
                     names.size() == 1 ? "rises" : "rise");
}

/// Without a MODEL: the one that comes with dsf, through all its classes where nothing else is
/// said, with an opening that says so. Returns what it says of itself.
dsf::CheckpointInfo play_bundled(const CLI::App& app, dsf::GenerationJob& job) {
  job.model = dsf::bundled_model();
  if (!dsf::is_bundled(job.model)) {
    dsf::fail_usage(
        "MODEL is required, as there is no bundled model: {}. To train one: dsf_train "
        "configs/params_sm.yaml, then dsf_infer runs/smalltest; --help explains",
        dsf::describe_missing(job.model));
  }
  dsf::CheckpointInfo info = dsf::read_model(job.model).info;
  const bool elsewhere = app.count("--morph") > 0 || app.count("--class") > 0;
  const bool tour = !elsewhere && !goes_on_from_files(job.request);
  if (tour) job.request.morph = "tour";
  const std::string classes = fmt::format("{}", fmt::join(info.class_names, ", "));
  job.opening = {
      fmt::format("no MODEL is given: playing the one that comes with dsf, {}", job.model.string()),
      tour ? fmt::format("it passes through the classes {}{}", classes, what_rises(job, info))
           : fmt::format("its classes are {}, its parameters {}", classes,
                         fmt::join(info.parameter_names, ", "))};
  return info;
}

/// What there is to do with the bundled model once it was heard, with the programs where `called`
/// is.
void suggest(const dsf::CheckpointInfo& info, const std::filesystem::path& called) {
  const auto last = [](const std::vector<std::string>& names) {
    return names.empty() ? std::string("NAME") : dsf::printable(names.back());
  };
  spdlog::info(
      "try next:\n"
      "  {2} --class {0} --param {1}=0.9 --duration 30\n"
      "  {2} --morph overlap --stereo --seed 1\n"
      "  {2} --class {0} --loop\n"
      "  {3} configs/params_sm.yaml   # a model of your own: README.md, \"Training on your own "
      "data\"",
      last(info.class_names), last(info.parameter_names), dsf::printable(called.string()),
      dsf::printable((called.parent_path() / "dsf_train").string()));
}

dsf::LiveRequest live_request(const dsf::GenerationJob& job) {
  dsf::LiveRequest request;
  request.model = job.model;
  request.checkpoint = job.checkpoint;
  request.codec = job.codec;
  request.sound = job.request;
  request.inform = [](const std::string& text) { spdlog::info("{}", dsf::printable(text)); };
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Generates sound from a trained model: .dac, sound, a picture and a .json side-car.",
               "dsf_infer");
  dsf::CommonOptions common;
  dsf::GenerationJob job;
  job.folder = "out";
  Arguments arguments;
  dsf::StreamOptions streaming;
  add_options(app, job, arguments);
  dsf::add_stream_options(
      app, streaming,
      {"--morph", "--count", "--prime", "--stereo", "--loop", "--format", "--repeat", "--out"});
  dsf::add_common_options(
      app, common,
      "  dsf_infer                                   # the model that comes with dsf\n"
      "  dsf_infer --class DSWind --param param1=0.7\n"
      "  dsf_infer runs/smalltest --class DSWind --param param1=0.7 --codec weights.pth\n"
      "  dsf_infer runs/smalltest --morph sweep --duration 30 --seed 4\n"
      "  dsf_infer runs/smalltest --morph configs/morphs/gusts.yaml --stereo\n"
      "  dsf_infer runs/smalltest --class DSBugs --loop --duration 8\n"
      "  dsf_infer runs/smalltest --count 20 --seed 100\n"
      "  dsf_infer runs/smalltest --prime out/smalltest-DSWind-seed0.dac\n"
      "  dsf_infer --repeat out/smalltest-DSWind-seed0.json --out again\n"
      "  dsf_infer --stream --class DSBugs | aplay   # then type: param1=0.9 over 3s\n"
      "  dsf_infer upstream_chkpt_0200.pth --morph classes --top-n 20");
  return dsf::run_stoppable_app(app, argc, argv, common, [&](const std::atomic<bool>& stop) {
    if (streaming.stream) {
      job.request.parameters = parse_parameters(arguments.parameters);
      job.request.weights = dsf::parse_weight_format(arguments.weights, "--weights");
      const dsf::Context ctx = dsf::make_context(job.device, job.precision);
      dsf::stream(ctx, streaming, live_request(job), stop);
      return stop ? dsf::kStoppedExitCode : 0;
    }
    const bool bundled = job.model.empty() && arguments.repeat.empty();
    dsf::CheckpointInfo bundled_info;
    if (!arguments.repeat.empty()) {
      job = repeated(job, arguments.repeat);
    } else {
      job.request.parameters = parse_parameters(arguments.parameters);
      job.request.weights = dsf::parse_weight_format(arguments.weights, "--weights");
      job.format = dsf::parse_audio_format(arguments.format);
    }
    const dsf::Context ctx = dsf::make_context(job.device, job.precision);
    if (bundled) bundled_info = play_bundled(app, job);
    job.progress = dsf::Progress::style_for(!common.informs());
    job.warn = [](const std::string& text) { spdlog::warn("{}", dsf::printable(text)); };
    if (dsf::run_generation(ctx, job, stop) == dsf::GenerationOutcome::stopped) {
      return dsf::kStoppedExitCode;
    }
    if (bundled) suggest(bundled_info, argv[0]);
    return 0;
  });
}
