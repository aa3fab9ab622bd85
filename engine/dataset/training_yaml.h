#pragma once
// A training configuration for a data set, with the values of configs/params_med.yaml.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dsf {

struct TrainingYaml {
  std::filesystem::path folder;  // of the data set
  bool validates = false;
  std::vector<std::string> classes, parameters;  // for a comment: the data frame names them
  int64_t frames = 0;                            // of a piece, at least 2
  double frames_per_second = 0;
  int64_t codebooks = 0;
  int64_t codebook_size = 0;
  std::string codec = {};  // whose codes they are, as find_codec takes it; empty: not said
};

/// What dsf_train takes as it is, from any folder: paths are absolute.
std::string training_yaml(const TrainingYaml& data);

}  // namespace dsf
