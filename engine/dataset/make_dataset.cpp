#include "engine/dataset/make_dataset.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/codec/codec_location.h"
#include "engine/data/data_frame.h"
#include "engine/dataset/dataset_record.h"
#include "engine/dataset/training_yaml.h"
#include "engine/files/atomic_file.h"
#include "engine/files/counted.h"
#include "engine/files/csv.h"
#include "engine/files/output_folder.h"
#include "engine/files/quote.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

PieceGrid make_grid(const Codec& codec, const DatasetRequest& request) {
  const CodecConfig& config = codec.config();
  const auto samples = [&](double seconds) {
    return std::max<int64_t>(1, std::llround(seconds * static_cast<double>(config.sample_rate)));
  };
  const PieceGrid grid{config.sample_rate, samples(request.seconds),
                       samples(request.hop_seconds.value_or(request.seconds))};
  if (grid.samples <= config.hop()) {
    fail_usage("--seconds {}: a training sequence needs two frames, expected more than {:.3f} s",
               request.seconds,
               static_cast<double>(config.hop()) / static_cast<double>(config.sample_rate));
  }
  return grid;
}

/// Names what gives no piece, and sums up what is dropped of the rest.
void tell_lengths(const Recordings& recordings, const std::vector<SurveyedRecording>& surveyed,
                  const PieceGrid& grid, const DatasetTold& told, DatasetSummary& summary) {
  for (size_t i = 0; i < surveyed.size(); ++i) {
    const auto seconds = [&](int64_t length) {
      return static_cast<double>(length) / static_cast<double>(grid.sample_rate);
    };
    summary.failed += !surveyed[i].readable;
    if (!surveyed[i].readable) continue;
    if (surveyed[i].pieces == 0) {
      told.warn(fmt::format("{}: {:.3f} s, shorter than a piece of {:.3f}: left out",
                            recordings.list[i].path.string(), seconds(surveyed[i].length),
                            seconds(grid.samples)));
    } else {
      ++summary.recordings;
      summary.dropped_seconds += seconds(grid.rest(surveyed[i].length));
    }
  }
}

std::vector<ClassSummary> summarize(const Recordings& recordings, const DatasetPlan& plan,
                                    const EncodedPieces& encoded) {
  std::vector<ClassSummary> classes;
  for (const std::string& name : plan.classes) {
    ClassSummary summary{name, 0, 0, 0, 0, {}};
    std::set<size_t> members;
    std::vector<SoundDistance> distances;
    for (size_t i = 0; i < plan.pieces.size(); ++i) {
      const Piece& piece = plan.pieces[i];
      if (recordings.list[piece.recording].class_name != name) continue;
      members.insert(piece.recording);
      ++(piece.validation ? summary.validation_pieces : summary.training_pieces);
      if (encoded.distances[i]) distances.push_back(*encoded.distances[i]);
    }
    summary.compared = std::ssize(distances);
    summary.distance = mean_distance(distances);
    summary.recordings = static_cast<int64_t>(members.size());
    classes.push_back(std::move(summary));
  }
  return classes;
}

void warn_of_codec(const std::vector<ClassSummary>& classes, const DatasetTold& told) {
  for (const ClassSummary& summary : classes) {
    if (summary.distance.mel <= kSuitableMelDistance) continue;
    told.warn(fmt::format(
        "the codec does not suit the class {}: decoded again its sound has a mel distance of {:.3f}"
        " from the recordings, where up to {:.2f} is usual; a model cannot sound better than that. "
        "With another codec it may: {}",
        quote(summary.name), summary.distance.mel, kSuitableMelDistance,
        codec_advice("--weights")));
  }
}

void write_frame(const DatasetRequest& request, const Recordings& recordings,
                 const DatasetPlan& plan, bool validation) {
  std::string text = fmt::format("{},{}", kFileColumn, kClassColumn);
  for (const ScaledParameter& parameter : plan.parameters) {
    text += fmt::format(",{}", csv_field(parameter.name));
  }
  text += "\n";
  for (const Piece& piece : plan.pieces) {
    if (piece.validation != validation) continue;
    text += fmt::format("{},{}", csv_field(piece.file_name),
                        csv_field(recordings.list[piece.recording].class_name));
    for (const float value : piece.parameters) text += fmt::format(",{}", value);
    text += "\n";
  }
  write_file_atomically(side_folder(request, validation).concat(".csv"), text);
}

/// Files that are there and not in a data frame are of no harm to dsf_train, but a user wonders.
void warn_of_others(const DatasetRequest& request, const DatasetPlan& plan,
                    const DatasetTold& told) {
  std::set<fs::path> own;
  for (const Piece& piece : plan.pieces) {
    own.insert(side_folder(request, piece.validation) / piece.file_name);
  }
  for (const bool validation : {false, true}) {
    const fs::path folder = side_folder(request, validation);
    int64_t others = 0;
    std::error_code error;  // no such folder: no others
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      others += entry->path().extension() == ".dac" && !own.contains(entry->path());
    }
    if (others == 0) continue;
    told.warn(fmt::format("{}: {} of another run in this folder, not in {}.csv", folder.string(),
                          counted(others, ".dac file"), folder.string()));
  }
}

std::string make_yaml(const Codec& codec, const DatasetRequest& request, const PieceGrid& grid,
                      const DatasetPlan& plan, int64_t n_codebooks) {
  const CodecConfig& config = codec.config();
  TrainingYaml data;
  data.folder = request.output;
  data.validates = plan.validates();
  data.classes = plan.classes;
  for (const ScaledParameter& parameter : plan.parameters)
    data.parameters.push_back(parameter.name);
  data.frames = (grid.samples + config.hop() - 1) / config.hop();
  data.frames_per_second =
      static_cast<double>(config.sample_rate) / static_cast<double>(config.hop());
  data.codebooks = n_codebooks;
  data.codebook_size = config.codebook_size;
  data.codec = codec_name(request.weights);
  return training_yaml(data);
}

/// What is written beside pieces that are all there.
constexpr const char* kSayWhatIsThere[] = {"train.csv", "validation.csv", "params.yaml"};

/// Refuses a folder in which others' files have the names of ours.
void check_own(const fs::path& folder) {
  std::error_code unreadable;
  if (fs::exists(folder / "dataset.json", unreadable)) return;
  for (const char* name : kSayWhatIsThere) {
    if (!fs::exists(folder / name, unreadable)) continue;
    fail(
        "{}: would be replaced, but is of no data set that was made here: there is no "
        "dataset.json beside it; give another folder, or move the file away",
        (folder / name).string());
  }
}

}  // namespace

DatasetSummary make_dataset(const Codec& codec, const DatasetRequest& request,
                            const DatasetTold& told, const std::atomic<bool>& stop) {
  DatasetSummary summary;
  const auto stopped = [&summary] {
    summary.stopped = true;
    return summary;
  };
  const PieceGrid grid = make_grid(codec, request);
  check_measures(request.measures, static_cast<int>(grid.sample_rate));
  const Recordings recordings = find_recordings(request);
  for (const std::string& remark : recordings.remarks) told.warn(remark);
  check_output_folder(request.output);
  check_own(request.output);
  const auto surveyed = survey_recordings(recordings, grid, request, told.complain, stop);
  if (stop) return stopped();
  tell_lengths(recordings, surveyed, grid, told, summary);
  const DatasetPlan plan = plan_dataset(recordings, surveyed, request);
  for (const std::string& warning : plan.warnings) told.warn(warning);

  prepare_output_folder(side_folder(request, false));
  if (plan.validates()) prepare_output_folder(side_folder(request, true));
  const int64_t n_codebooks = std::min(request.n_codebooks, codec.config().n_codebooks);
  const auto settings = describe_settings(request, grid, n_codebooks);
  const fs::path record = request.output / "dataset.json";
  const std::vector<bool> reusable = request.overwrite
                                         ? std::vector<bool>(recordings.list.size())
                                         : find_reusable(record, settings, recordings);
  // The record's word about the pieces is true at every moment, and what trains on them is there
  // only beside all of them.
  for (const char* name : kSayWhatIsThere) remove_output(request.output / name);
  remove_pieces(plan, request, reusable);
  write_unfinished_record(record, settings, recordings, surveyed);
  const EncodedPieces encoded =
      encode_pieces(codec, recordings, plan, grid, request, reusable, told.complain, stop);
  if (stop) return stopped();
  if (encoded.failed > 0) {
    fail("{}: the data set is not complete: pieces of {} could not be made",
         request.output.string(), counted(encoded.failed, "recording"));
  }

  summary.classes = summarize(recordings, plan, encoded);
  summary.parameters = plan.parameters;
  summary.pieces = std::ssize(plan.pieces);
  summary.encoded = encoded.encoded;
  summary.skipped = encoded.skipped;
  write_frame(request, recordings, plan, false);
  if (plan.validates()) write_frame(request, recordings, plan, true);
  write_file_atomically(request.output / "params.yaml",
                        make_yaml(codec, request, grid, plan, n_codebooks));
  write_record(record, settings, request, recordings, surveyed, grid, plan, summary.classes);
  warn_of_others(request, plan, told);
  warn_of_codec(summary.classes, told);
  return summary;
}

}  // namespace dsf
