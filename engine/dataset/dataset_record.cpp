#include "engine/dataset/dataset_record.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/dataset/make_dataset.h"
#include "engine/files/atomic_file.h"
#include "engine/files/bounded_json.h"
#include "engine/generation/file_identity.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kMaxBytes = uint64_t{256} << 20;
constexpr size_t kMaxEvents = 8'000'000;  // of parsing: 18 are a recording, 400'000 of them fit

/// JSON has no infinity.
ordered_json number(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json();
}

ordered_json describe(const ClassSummary& summary) {
  return {{"name", summary.name},
          {"recordings", summary.recordings},
          {"training_pieces", summary.training_pieces},
          {"validation_pieces", summary.validation_pieces},
          {"reconstruction",
           {{"pieces", summary.compared},
            {"mel_distance", number(summary.distance.mel)},
            {"log_spectral_distance_db", number(summary.distance.log_spectral)},
            {"si_sdr_db", number(summary.distance.si_sdr)},
            {"loudness_difference_lu", number(summary.distance.loudness)}}}};
}

ordered_json describe(const ScaledParameter& parameter) {
  ordered_json result = {{"name", parameter.name},
                         {"from", parameter.source},
                         {"value_at_0", parameter.low},
                         {"value_at_1", parameter.high}};
  if (!parameter.unit.empty()) result["unit"] = parameter.unit;
  return result;
}

/// A recording of which pieces are there, or will be. Of others nothing may be said: pieces of what
/// they once were may lie about.
void add_stamp(ordered_json& entry, const Recording& recording) {
  entry["bytes"] = recording.stamp.bytes;
  entry["modified_ns"] = recording.stamp.modified;
}

/// As a JSON file has it: what is not UTF-8 was replaced.
std::string as_written(const std::string& text) {
  return ordered_json::parse(
             ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace))
      .get<std::string>();
}

std::map<std::string, FileStamp> read_stamps(const json& record) {
  std::map<std::string, FileStamp> stamps;
  const auto recordings = record.find("recordings");
  if (recordings == record.end()) return stamps;
  for (const json& entry : *recordings) {
    if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string()) continue;
    if (!entry.contains("bytes") || !entry["bytes"].is_number_unsigned()) continue;
    if (!entry.contains("modified_ns") || !entry["modified_ns"].is_number_integer()) continue;
    stamps[entry["name"].get<std::string>()] = {entry["bytes"].get<uint64_t>(),
                                                entry["modified_ns"].get<int64_t>()};
  }
  return stamps;
}

ordered_json describe_recordings(const Recordings& recordings,
                                 const std::vector<SurveyedRecording>& surveyed,
                                 const PieceGrid& grid, const DatasetPlan& plan) {
  std::vector<bool> validation(recordings.list.size());
  for (const Piece& piece : plan.pieces) validation[piece.recording] = piece.validation;
  const auto seconds = [&](int64_t samples) {
    return static_cast<double>(samples) / static_cast<double>(grid.sample_rate);
  };
  ordered_json result = ordered_json::array();
  for (size_t i = 0; i < surveyed.size(); ++i) {
    const SurveyedRecording& survey = surveyed[i];
    ordered_json entry = {{"name", recordings.list[i].name},
                          {"class", recordings.list[i].class_name}};
    if (survey.readable) {
      entry["seconds"] = seconds(survey.length);
      entry["pieces"] = survey.pieces;
      entry["seconds_dropped_at_the_end"] = seconds(grid.rest(survey.length));
    } else {
      entry["pieces"] = 0;
      entry["readable"] = false;
    }
    if (survey.pieces > 0) {
      entry["side"] = validation[i] ? "validation" : "train";
      add_stamp(entry, recordings.list[i]);
    }
    result.push_back(std::move(entry));
  }
  return result;
}

void write(const fs::path& file, const ordered_json& record) {
  write_file_atomically(file,
                        record.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace

ordered_json describe_settings(const DatasetRequest& request, const PieceGrid& grid,
                               int64_t n_codebooks) {
  const SourceFile codec = identify(request.weights);
  // The same with and without a slash behind it.
  const fs::path folder = (fs::absolute(request.folder) / ".").lexically_normal().parent_path();
  return {{"folder", folder.string()},
          {"codec", {{"bytes", codec.identity.bytes}, {"hash", codec.identity.hash}}},
          {"sample_rate", grid.sample_rate},
          {"samples_per_piece", grid.samples},
          {"samples_per_step", grid.step},
          {"n_codebooks", n_codebooks},
          {"normalize_db", request.loudness ? ordered_json(*request.loudness) : ordered_json()}};
}

std::vector<bool> find_reusable(const fs::path& file, const ordered_json& settings,
                                const Recordings& recordings) {
  std::vector<bool> reusable(recordings.list.size());
  json record;
  try {
    const std::vector<std::byte> bytes = read_file(file, kMaxBytes);
    record =
        parse_bounded_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kMaxEvents);
  } catch (const Error&) {
    return reusable;
  }
  if (!record.is_object() || !record.contains("settings")) return reusable;
  const std::string wanted = settings.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (record["settings"] != json::parse(wanted)) return reusable;
  const std::map<std::string, FileStamp> stamps = read_stamps(record);
  for (size_t i = 0; i < reusable.size(); ++i) {
    const auto found = stamps.find(as_written(recordings.list[i].name));
    reusable[i] = found != stamps.end() && found->second == recordings.list[i].stamp;
  }
  return reusable;
}

void write_unfinished_record(const fs::path& file, const ordered_json& settings,
                             const Recordings& recordings,
                             const std::vector<SurveyedRecording>& surveyed) {
  ordered_json record = {{"dsf_version", DSF_VERSION}, {"complete", false}, {"settings", settings}};
  record["recordings"] = ordered_json::array();
  for (size_t i = 0; i < surveyed.size(); ++i) {
    if (surveyed[i].pieces == 0) continue;
    ordered_json entry = {{"name", recordings.list[i].name}};
    add_stamp(entry, recordings.list[i]);
    record["recordings"].push_back(std::move(entry));
  }
  write(file, record);
}

void write_record(const fs::path& file, const ordered_json& settings, const DatasetRequest& request,
                  const Recordings& recordings, const std::vector<SurveyedRecording>& surveyed,
                  const PieceGrid& grid, const DatasetPlan& plan,
                  const std::vector<ClassSummary>& classes) {
  ordered_json record = {
      {"dsf_version", DSF_VERSION}, {"complete", true},
      {"settings", settings},       {"codec_file", fs::absolute(request.weights).string()},
      {"seed", request.seed},       {"validation", request.validation}};
  record["parameters"] = ordered_json::array();
  for (const ScaledParameter& parameter : plan.parameters) {
    record["parameters"].push_back(describe(parameter));
  }
  record["classes"] = ordered_json::array();
  for (const ClassSummary& summary : classes) record["classes"].push_back(describe(summary));
  record["recordings"] = describe_recordings(recordings, surveyed, grid, plan);
  write(file, record);
}

}  // namespace dsf
