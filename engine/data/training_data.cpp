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

/// Counts what a folder's list of files leaves out; empty if that is nothing. Below it may lie a
/// whole disk: of that the first entries are enough.
std::string describe_passed_over(const fs::path& directory) {
  constexpr int64_t kMostEntriesBelow = 10'000;
  std::error_code error;
  int64_t below = 0, capital = 0, entries_below = 0;
  for (fs::recursive_directory_iterator
           entry(directory, fs::directory_options::skip_permission_denied, error),
       end;
       !error && entry != end; entry.increment(error)) {
    if (entry.depth() > 0 && ++entries_below > kMostEntriesBelow) break;
    const std::string extension = entry->path().extension().string();
    if (extension == ".DAC" || (extension == ".dac" && entry.depth() > 0)) {
      ++(entry.depth() > 0 ? below : capital);
    }
  }
  std::vector<std::string> parts;
  if (below > 0) parts.push_back(counted(below, ".dac file") + " in folders below it");
  if (capital > 0) parts.push_back(counted(capital, "file") + " named .DAC");
  return fmt::format("{}{}", !parts.empty() && entries_below > kMostEntriesBelow ? "at least " : "",
                     fmt::join(parts, " and "));
}

std::vector<fs::path> list_dac_files(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".dac") files.push_back(entry->path());
  }
  if (error) fail("{}: cannot read this folder: {}", directory.string(), error.message());
  if (files.empty()) {
    const std::string others = describe_passed_over(directory);
    fail("{}: no .dac files in this folder{}", directory.string(),
         others.empty() ? "" : ", which has " + others);
  }
  std::ranges::sort(files);
  return files;
}

/// `parameters` gathers the names of the parameter.
std::vector<LabelledFile> label_by_names(const fs::path& directory, const TrainingConfig& config,
                                         std::set<std::string>& parameters, Faults& faults) {
  std::vector<LabelledFile> files;
  for (const fs::path& path : list_dac_files(directory)) {
    LabelledFile file{path, "", {}, false};
    faults.collect("", [&] {
      const FileNameConditioning named = parse_file_name(path);
      file.cond = conditioning_vector(named, config.class_names, config.class_aliases,
                                      config.model.num_parameters);
      file.usable = true;
      parameters.insert(named.parameter_name);
    });
    files.push_back(std::move(file));
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
      const std::string others = describe_passed_over(directory);
      if (!others.empty()) {
        data.notes.push_back(fmt::format("{}: passed over are {}", directory.string(), others));
      }
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

/// For each parameter of the model its place in a row of `frame`; nothing if the frame has others.
std::optional<std::vector<size_t>> find_parameters(const DataFrame& frame,
                                                   const TrainingConfig& config, Faults& faults) {
  const std::vector<std::string>&model = config.parameter_names, &own = frame.parameter_names;
  const auto known = [&] {
    return fmt::format("{} has the parameters [{}]", config.data_frame.string(),
                       fmt::join(model, ", "));
  };
  const size_t before = faults.count();
  for (const std::string& name : own) {
    if (std::ranges::find(model, name) == model.end()) {
      faults.add(
          fmt::format("{}: the parameter {} is not known: {}", frame.source, quote(name), known()));
    }
  }
  std::vector<size_t> places;
  for (const std::string& name : model) {
    const auto found = std::ranges::find(own, name);
    if (found == own.end()) {
      faults.add(fmt::format("{}: no column {}: {}", frame.source, quote(name), known()));
    }
    places.push_back(static_cast<size_t>(found - own.begin()));
  }
  if (faults.count() > before) return std::nullopt;
  return places;
}

/// The files of a frame that cannot be compared with the model's: none is usable.
std::vector<LabelledFile> unlabelled(const DataFrame& frame, const fs::path& directory) {
  std::vector<LabelledFile> files;
  for (const DataFrame::Row& row : frame.rows) {
    files.push_back({directory / row.file_name, row.file_place, {}, false});
  }
  return files;
}

std::vector<LabelledFile> label_by_frame(const DataFrame& frame, const fs::path& directory,
                                         const TrainingConfig& config, Faults& faults) {
  const auto places = find_parameters(frame, config, faults);
  const std::vector<std::string>& classes = config.class_names;
  std::vector<LabelledFile> files = unlabelled(frame, directory);
  for (size_t i = 0; i < files.size(); ++i) {
    const DataFrame::Row& row = frame.rows[i];
    if (row.class_name.empty()) continue;  // that is a fault already
    const auto found = std::ranges::find(classes, row.class_name);
    if (found == classes.end()) {
      faults.add(fmt::format("{}: the class {} is not known; known: {}", row.class_place,
                             quote(row.class_name), fmt::join(classes, ", ")));
      continue;
    }
    if (!places) continue;
    std::vector<float>& cond = files[i].cond;
    cond.resize(classes.size());
    cond[static_cast<size_t>(found - classes.begin())] = 1.0F;
    for (const size_t place : *places) cond.push_back(row.parameters[place]);
    files[i].usable = true;
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
  bool adopted = false;  // without the training frame there is nothing to compare with
  const auto load = [&](const DataFrame& frame, const fs::path& directory, Dataset& target) {
    const auto files =
        adopted ? label_by_frame(frame, directory, config, faults) : unlabelled(frame, directory);
    target = read_dataset(files, config.model, config.random_crop, faults);
  };
  faults.collect("", [&] {
    const DataFrame frame = read_data_frame(config.data_frame, faults);
    adopt(frame, config);
    adopted = true;
    load(frame, config.data_dir, data.training);
  });
  if (config.validator_data_frame.empty()) return;
  faults.collect("", [&] {
    const DataFrame frame = read_data_frame(config.validator_data_frame, faults);
    load(frame, config.validator_data_dir, data.validation);
  });
}

// ---- Codec

/// How many codebooks the codec has that is said to have made the codes. Nothing where none is
/// named, nor where it is not on this machine, or damaged, of which notes are taken: training does
/// not need it.
std::optional<int64_t> codec_codebooks(const std::string& codec, std::vector<std::string>& notes) {
  if (codec.empty()) return {};
  fs::path file;
  try {
    file = find_codec(codec);
  } catch (const Error& error) {
    notes.push_back(fmt::format("without its codec a model is not heard: {}", error.what()));
    return {};
  }
  try {
    return read_codec_config(file).n_codebooks;
  } catch (const Error& error) {
    notes.push_back(fmt::format("the codec cannot be read: {}", error.what()));
    return {};
  }
}

/// A codec makes no file of more codebooks than it has: those are codes of another.
void check_codec(TrainingData& data, Faults& faults) {
  const std::string& codec = data.config.codec;
  const std::optional<int64_t> most = codec_codebooks(codec, data.notes);
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
  TrainingData data{std::move(config), {}, {}, {}};
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
