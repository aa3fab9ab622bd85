#pragma once
// The losses of a run by epoch, as a file that people and resumed runs read: losses.csv.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace dsf {

struct Evaluation {
  int64_t epoch = 0;        // after it; counted from 1
  float training_loss = 0;  // of its last optimizer step
  std::optional<float> validation_loss;

  bool operator==(const Evaluation&) const = default;
};

/// In the order of the epochs.
using LossHistory = std::vector<Evaluation>;

/// A header line "epoch,training_loss,validation_loss" and a line per evaluation, the last field
/// empty where there was no validation. The numbers are the shortest that read back to the same
/// float.
void write_loss_history(const std::filesystem::path& path, const LossHistory& history);

/// Reads the evaluations up to `last_epoch` (a resumed run repeats what came after). Anything but
/// finite losses at rising epochs is an Error that names line, what was found and what is expected.
LossHistory read_loss_history(const std::filesystem::path& path, int64_t last_epoch);

}  // namespace dsf
