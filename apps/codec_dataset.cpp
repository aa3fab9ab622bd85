// dsf_codec dataset: from a folder of recordings to a data set for dsf_train.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "apps/codec_commands.h"
#include "engine/dataset/make_dataset.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"

namespace dsf {
namespace {

struct DatasetArguments {
  DatasetRequest request;
  CodecModel model;
  double hop_seconds = 0;  // 0: no overlap
  std::string loudness = "-16";
  std::string measures;
};

void add_options(CLI::App& command, DatasetArguments& arguments) {
  DatasetRequest& request = arguments.request;
  command
      .add_option(
          "FOLDER", request.folder,
          "Recordings (WAV, FLAC, OGG, AIFF …), at any depth. The first folder below FOLDER "
          "is the class; files directly in it are called Class--Parameter-01.00-…")
      ->required();
  command.add_option("--output", request.output, "Folder for the data set")->required();
  command
      .add_option("--seconds", request.seconds,
                  "Length of a piece; what is left at a recording's end is dropped")
      ->capture_default_str()
      ->check(real_from_to(0.02, 3600.0));
  command
      .add_option("--hop-seconds", arguments.hop_seconds,
                  "From a piece's begin to the next one's (default: --seconds, no overlap)")
      ->check(real_from_to(0.01, 3600.0));
  command
      .add_option("--n-quantizers", request.n_codebooks,
                  "Codebooks that are kept, the first ones; all where the codec has fewer")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--normalize-db", arguments.loudness,
                  "LUFS that each piece is brought to before, or off")
      ->capture_default_str();
  command.add_option("--fields", request.fields,
                     "Parameters in the file names: {name} is a number, {} anything else. "
                     "{}-{strength}-{} takes 0.5 from gust-0.5-take2.wav");
  command.add_option(
      "--parameters", request.parameters,
      "Table of parameters (.csv or .xlsx): a column 'Full File Name', below FOLDER, "
      "and right of it a column of numbers for each");
  command.add_option(
      "--measure", arguments.measures,
      "Parameters that are measured of each piece, scaled to 0 … 1: loudness (before "
      "--normalize-db), centroid, event-rate, or several with commas");
  command
      .add_option("--validation", request.validation,
                  "Share of each class's pieces that validate, by whole recordings; 0: none")
      ->capture_default_str()
      ->check(real_from_to(0.0, 0.5));
  add_seed_option(command, request.seed, "Of the choice of these recordings");
  command.add_flag("--overwrite", request.overwrite,
                   "Encode also the pieces that are there already");
  add_model_options(command, arguments.model);
}

void warn(const std::string& text) {
  spdlog::warn("{}", printable(text));
}

void print_classes(const DatasetSummary& summary) {
  size_t width = 5;
  for (const ClassSummary& one : summary.classes) {
    width = std::max(width, count_characters(printable(one.name)));
  }
  fmt::print(
      "{:<{}}  recordings  train  validation  decoded: mel distance  log-spectral, dB  "
      "SI-SDR, dB\n",
      "class", width);
  for (const ClassSummary& one : summary.classes) {
    const std::string name = printable(one.name);
    fmt::print("{}{}  {:>10}  {:>5}  {:>10}  {:>21.4f}  {:>16.3f}  {:>10.2f}\n", name,
               std::string(width - count_characters(name), ' '), one.recordings,
               one.training_pieces, one.validation_pieces, one.distance.mel,
               one.distance.log_spectral, one.distance.si_sdr);
  }
}

void print_parameters(const DatasetSummary& summary) {
  for (const ScaledParameter& one : summary.parameters) {
    fmt::print("parameter {} ({}): 0 is {:.6g}, 1 is {:.6g}{}\n", printable(one.name),
               printable(one.source), one.low, one.high, one.unit.empty() ? "" : " " + one.unit);
  }
}

/// The next run would find its own output among the recordings.
void refuse_output_among_recordings(const DatasetRequest& request) {
  const auto whole = [](const std::filesystem::path& folder) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(folder));
  };
  const std::filesystem::path place =
      whole(request.output).lexically_relative(whole(request.folder));
  if (place.empty() || *place.begin() == "..") return;
  fail_usage("--output {}: lies in the folder of the recordings, {}; name one beside it",
             request.output.string(), request.folder.string());
}

int make(DatasetArguments& arguments, const CommonOptions& common, const std::atomic<bool>& stop) {
  DatasetRequest& request = arguments.request;
  request.loudness = parse_loudness(arguments.loudness);
  if (arguments.hop_seconds > 0) request.hop_seconds = arguments.hop_seconds;
  if (!arguments.measures.empty()) request.measures = parse_measures(arguments.measures);
  request.progress = Progress::style_for(!common.informs());
  refuse_output_among_recordings(request);
  if (request.loudness && std::ranges::count(request.measures, Measure::loudness) > 0) {
    warn(
        "--measure loudness: the pieces are all brought to one loudness, which a model then cannot "
        "learn; --normalize-db off keeps theirs");
  }
  const Codec codec = arguments.model.load(CodecUse::both);
  request.weights = arguments.model.weights;
  const DatasetSummary summary = make_dataset(codec, request, {complain, warn}, stop);
  if (summary.stopped) {
    spdlog::info("stopped: the same command goes on from here");
    return kStoppedExitCode;
  }
  const std::string output = printable(request.output.string());
  spdlog::info("{} of {} s from {} in {}: {} encoded now, {} there already",
               counted(summary.pieces, "piece"), request.seconds,
               counted(summary.recordings, "recording"), output, summary.encoded, summary.skipped);
  if (summary.dropped_seconds > 0) {
    spdlog::info(
        "{:.3f} s at the ends of recordings fill no piece and are dropped "
        "({}/dataset.json says where)",
        summary.dropped_seconds, output);
  }
  if (!common.quiet) {
    print_classes(summary);
    print_parameters(summary);
    fmt::print("next: dsf_train {}\n", printable((request.output / "params.yaml").string()));
  }
  return codec_exit_code(summary.failed, false);  // it is done, whatever came since
}

}  // namespace

CodecCommand add_dataset(CLI::App& app, const CommonOptions& common) {
  CLI::App* const command =
      app.add_subcommand("dataset", "Makes a data set for dsf_train of a folder of recordings");
  const auto arguments = std::make_shared<DatasetArguments>();
  add_options(*command, *arguments);
  command->footer(
      "Examples:\n"
      "  dsf_codec dataset recordings --output mydata --weights weights.pth\n"
      "  dsf_codec dataset recordings --output mydata --fields '{}-{strength}-{}'\n"
      "  dsf_codec dataset recordings --output mydata --measure centroid --hop-seconds 2\n"
      "  dsf_train mydata/params.yaml\n"
      "Writes train/ and validation/ (.dac), train.csv and validation.csv, params.yaml, and\n"
      "dataset.json, which says what a parameter's 0 and 1 are. Parameters that are given are "
      "scaled\n"
      "only where a value lies outside of 0 … 1. A run that was ended goes on where it stopped.\n"
      "Exit code: 0 done, 1 failed or a recording left out as it cannot be read, 2 misused,\n"
      "130 interrupted");
  return {command, [arguments, &common](const std::atomic<bool>& stop) {
            return make(*arguments, common, stop);
          }};
}

}  // namespace dsf
