#pragma once
// What a training run is told: upstream's YAML keys, and this project's additions.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/config/learning_config.h"
#include "engine/model/model_config.h"
#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf {

struct TrainingConfig {
  std::filesystem::path file;  // that it was read from
  std::string experiment;      // the run's folder below runs/
  std::filesystem::path data_dir;
  std::filesystem::path validator_data_dir;  // empty: no validation
  // What names the files and their conditioning; empty: the names of the files in the folders.
  std::filesystem::path data_frame;
  std::filesystem::path validator_data_frame;
  /// Whose codes the data are: a word that find_codec knows, or an absolute path; empty: not said.
  std::string codec;
  bool random_crop = false;  // whether files may be longer than Tt + 1 frames
  /// With a data frame the numbers of classes and parameters stay 0 until it is read
  /// (load_training_data), and so do the names below.
  ModelConfig model;
  std::vector<std::string> class_names;  // in one-hot order
  /// Per class the other names that data may give it.
  std::vector<std::vector<std::string>> class_aliases;
  std::vector<std::string> parameter_names;  // empty: as the data names them
  int64_t batch_size = 0;
  int64_t num_epochs = 0;
  int64_t error_log_rate = 0;       // epochs between two log entries
  int64_t checkpoint_interval = 0;  // epochs
  float learning_rate = 0;
  LearningConfig learning;
  SampleSettings sampling;  // of the model, where nobody says otherwise
  /// The configuration as it holds, to be stored with the run: the file's own text, or, where
  /// overrides changed it, its keys and values written anew.
  std::string yaml;
};

/// Reads `file` and applies `overrides` ("key=value", the value as YAML), the last one of a key
/// winning. Accepts upstream's schema of January 2025 (tblock_input_size, from which the
/// embedding size follows; class names default to upstream's), upstream's of March 2025
/// (model_size, data_frames, use_adaLN) and this project's (model_size; data_frames, or class_names
/// and cond_params). Relative data paths stay relative to the current directory.
///
/// Keys that are not known are reported to `warn` with the nearest known one, and so are known ones
/// that have no effect beside others, and a codec that is the file's where an override names other
/// data. Training on mel spectrograms (ftype, input_type), a value
/// that is missing, of the wrong type or out of range, and YAML beyond plain data, are UsageErrors
/// that name file, line, key, what was found and what was expected; a file that cannot be read or
/// is longer than 1 MB is an Error.
TrainingConfig read_training_config(const std::filesystem::path& file,
                                    const std::vector<std::string>& overrides,
                                    const std::function<void(const std::string&)>& warn);

}  // namespace dsf
