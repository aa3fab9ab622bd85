#include "engine/data/training_data.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "engine/codec/codec_location.h"
#include "engine/codec/codec_weights.h"
#include "engine/data/data_frame.h"
#include "engine/data/file_name_conditioning.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

// ---- Conditioning from file names ----

std::vector<fs::path> list_dac_files(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".dac") files.push_back(entry->path());
  }
  if (error) fail("{}: cannot read this folder: {}", directory.string(), error.message());
  if (files.empty()) fail("{}: no .dac files in this folder", directory.string());
  std::ranges::sort(files);
  return files;
}

/// `parameters` gathers the names of the parameter.
std::vector<LabelledFile> label_by_names(const fs::path& directory, const TrainingConfig& config,
                                         std::set<std::string>& parameters, Faults& faults) {
  std::vector<LabelledFile> files;
  for (const fs::path& path : list_dac_files(directory)) {
    faults.collect("", [&] {
      const FileNameConditioning named = parse_file_name(path);
      files.push_back({path, "",
                       conditioning_vector(named, config.class_names, config.class_aliases,
                                           config.model.num_parameters)});
      parameters.insert(named.parameter_name);
    });
  }
  return files;
}

void load_by_names(TrainingData& data, Faults& faults) {
  TrainingConfig& config = data.config;
  const auto load = [&](const fs::path& directory, Dataset& target) {
    std::set<std::string> parameters;
    faults.collect("", [&] {
      const auto files = label_by_names(directory, config, parameters, faults);
      target = read_dataset(files, config.model, config.random_crop, faults);
    });
    return parameters;
  };
  const std::set<std::string> parameters = load(config.data_dir, data.training);
  if (!config.validator_data_dir.empty()) load(config.validator_data_dir, data.validation);
  if (config.parameter_names.empty() && config.model.num_parameters > 0) {
    config.parameter_names = {parameters.size() == 1 ? *parameters.begin() : "param1"};
  }
}

// ---- Conditioning from data frames ----

/// For each parameter of the model its place in a row of `frame`.
std::vector<size_t> find_parameters(const DataFrame& frame, const TrainingConfig& config) {
  const std::vector<std::string>&model = config.parameter_names, &own = frame.parameter_names;
  const auto known = [&] {
    return fmt::format("{} has the parameters [{}]", config.data_frame.string(),
                       fmt::join(model, ", "));
  };
  for (const std::string& name : own) {
    if (std::ranges::find(model, name) == model.end()) {
      fail("{}: the parameter {} is not known: {}", frame.source, quote(name), known());
    }
  }
  std::vector<size_t> places;
  for (const std::string& name : model) {
    const auto found = std::ranges::find(own, name);
    if (found == own.end()) fail("{}: no column {}: {}", frame.source, quote(name), known());
    places.push_back(static_cast<size_t>(found - own.begin()));
  }
  return places;
}

std::vector<LabelledFile> label_by_frame(const DataFrame& frame, const fs::path& directory,
                                         const TrainingConfig& config, Faults& faults) {
  const std::vector<size_t> places = find_parameters(frame, config);
  const std::vector<std::string>& classes = config.class_names;
  std::vector<LabelledFile> files;
  for (const DataFrame::Row& row : frame.rows) {
    const auto found = std::ranges::find(classes, row.class_name);
    if (found == classes.end()) {
      faults.add(fmt::format("{}: the class {} is not known; known: {}", row.class_place,
                             quote(row.class_name), fmt::join(classes, ", ")));
      continue;
    }
    LabelledFile file{directory / row.file_name, row.file_place,
                      std::vector<float>(classes.size(), 0.0F)};
    file.cond[static_cast<size_t>(found - classes.begin())] = 1.0F;
    for (const size_t place : places) file.cond.push_back(row.parameters[place]);
    files.push_back(std::move(file));
  }
  return files;
}

void adopt(const DataFrame& frame, TrainingConfig& config) {
  config.class_names.assign(frame.class_names.begin(), frame.class_names.end());
  config.parameter_names = frame.parameter_names;
  config.model.num_classes = static_cast<int64_t>(config.class_names.size());
  config.model.num_parameters = static_cast<int64_t>(config.parameter_names.size());
}

void load_by_frames(TrainingData& data, Faults& faults) {
  TrainingConfig& config = data.config;
  const auto load = [&](const DataFrame& frame, const fs::path& directory, Dataset& target) {
    const auto files = label_by_frame(frame, directory, config, faults);
    target = read_dataset(files, config.model, config.random_crop, faults);
  };
  bool adopted = false;  // without the training frame there is nothing to compare with
  faults.collect("", [&] {
    const DataFrame frame = read_data_frame(config.data_frame, faults);
    adopt(frame, config);
    adopted = true;
    load(frame, config.data_dir, data.training);
  });
  if (config.validator_data_frame.empty()) return;
  faults.collect("", [&] {
    const DataFrame frame = read_data_frame(config.validator_data_frame, faults);
    if (adopted) load(frame, config.validator_data_dir, data.validation);
  });
}

// ---- Codec

/// How many codebooks the codec has that is said to have made the codes. Nothing where none is
/// named, nor where it is not on this machine: training does not need it.
std::optional<int64_t> codec_codebooks(const std::string& codec) {
  if (codec.empty()) return {};
  fs::path file;
  try {
    file = find_codec(codec);
  } catch (const Error&) {
    return {};
  }
  return read_codec_weights(file).config.n_codebooks;
}

/// A codec makes no file of more codebooks than it has: those are codes of another.
void check_codec(const TrainingData& data, Faults& faults) {
  const std::string& codec = data.config.codec;
  const std::optional<int64_t> most = codec_codebooks(codec);
  for (const Dataset* part : {&data.training, &data.validation}) {
    if (!most || part->most_codebooks <= *most) continue;
    faults.add(fmt::format(
        "{}: {}, but the codec {} has {}: set codec to the one that encoded it, "
        "or to null",
        part->widest.string(), counted(part->most_codebooks, "codebook"), quote(codec), *most));
  }
}

}  // namespace

TrainingData load_training_data(TrainingConfig config, Faults& faults) {
  TrainingData data{std::move(config), {}, {}};
  if (data.config.data_frame.empty()) {
    load_by_names(data, faults);
  } else {
    load_by_frames(data, faults);
  }
  faults.collect("codec: ", [&] { check_codec(data, faults); });
  return data;
}

TrainingData load_training_data(TrainingConfig config) {
  Faults faults;
  TrainingData data = load_training_data(std::move(config), faults);
  faults.fail_if_any();
  return data;
}

}  // namespace dsf
