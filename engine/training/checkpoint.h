#pragma once
// Trained models as files: this project's safetensors checkpoints (model, optimizer and trainer
// state), and upstream's .pth.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/training/learner.h"
#include "engine/training/loss_history.h"
#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf {

/// What a checkpoint says beside its tensors.
struct CheckpointInfo {
  ModelConfig config;
  std::vector<std::string> class_names;      // the order of the one-hot conditioning
  std::vector<std::string> parameter_names;  // of the values after it
  int64_t epoch = 0;                         // finished
  int64_t step = 0;                          // optimizer steps taken
  uint64_t seed = 0;
  float learning_rate = 0;  // of the steps; 0: not known
  std::optional<Evaluation> evaluation =
      std::nullopt;              // after `epoch`; in the best checkpoint only
  std::string codec = {};        // whose codes it learned, as find_codec takes it; empty: not said
  SampleSettings sampling = {};  // how codes are drawn where nobody says otherwise
};

/// A model ready to generate.
struct TrainedModel {
  CheckpointInfo info;
  ParameterTable table;
  std::vector<float> weights;  // flat, laid out by `table`

  Tensor weights_view() { return {weights.data(), {table.size()}}; }
};

/// All of a checkpoint.
struct Checkpoint {
  TrainedModel model;
  std::vector<float> first_moments, second_moments;  // Adam's, as the weights; or both empty

  bool has_moments() const { return !first_moments.empty(); }
};

/// Whether Adam's moments are read too.
enum class WithMoments { no, yes };

/// Reads an upstream checkpoint (see checkpoint_upstream.h), if its name ends with .pth or .pt, or
/// one of ours; every tensor is checked against the sizes.
Checkpoint read_checkpoint(const std::filesystem::path& path, WithMoments moments);
/// Writes either, by the name; the old file survives any failure.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

/// Writes a model's weights, rounded to bf16, as .safetensors: half the bytes, for generation.
void write_bf16_weights(const std::filesystem::path& path, const TrainedModel& model);

/// Writes weights, Adam moments and trainer state as .safetensors.
void write_checkpoint(const std::filesystem::path& path, const Learner& learner,
                      const CheckpointInfo& info);

/// read_checkpoint without the moments.
TrainedModel read_model(const std::filesystem::path& path);

/// What a checkpoint of ours says. One of another model, data names or seed than `run`'s is a
/// UsageError that names what differs.
CheckpointInfo read_checkpoint_info(const std::filesystem::path& path, const CheckpointInfo& run);

/// Sets a learner to the state that a checkpoint of ours holds and gives what it says. `run` is
/// what the run to be resumed is; a checkpoint of another one is refused as above.
CheckpointInfo resume(const std::filesystem::path& path, const CheckpointInfo& run,
                      Learner& learner);

/// Sets a learner (null: none) to the weights of any checkpoint and, where it holds them, to Adam's
/// moments and step, and gives a sentence that says so. Lookback, Tt, dropout, names, codec and
/// sampling may be others than those of `run`; the sentence says which of the last three are.
/// Another class or size is a UsageError that names what differs.
std::string start_from(const std::filesystem::path& path, const CheckpointInfo& run,
                       Learner* learner);

/// out.e<E>.l<layers>.h<heads>_chkpt_<epoch, 4 digits>.safetensors, as upstream names them.
std::string checkpoint_name(const ModelConfig& config, int64_t epoch);

/// The epoch in such a name, of any extension.
std::optional<int64_t> checkpoint_epoch(const std::filesystem::path& path);

/// The checkpoint of the latest epoch in a run directory; an empty path where there is none.
std::filesystem::path latest_checkpoint(const std::filesystem::path& run_directory);
/// The same of upstream's, which are .pth files.
std::filesystem::path latest_upstream_checkpoint(const std::filesystem::path& run_directory);

}  // namespace dsf
