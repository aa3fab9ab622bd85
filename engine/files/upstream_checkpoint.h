#pragma once
// A checkpoint of upstream's trainer: sizes of the model, its parameters, the state of Adam.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/pickle.h"
#include "engine/files/stored_tensor.h"

namespace dsf {

struct UpstreamSizes {
  int64_t inf_context_length = 0;  // Ti
  int64_t embed_size = 0;          // E
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t forward_expansion = 0;
  double dropout = 0;
  int64_t max_len = 0;        // Tt
  int64_t num_codebooks = 0;  // N
  int64_t vocab_size = 0;     // V
  int64_t cond_size = 0;      // classes and parameters
  int64_t num_classes = 0;
  std::optional<bool> use_adaln;          // only in later checkpoints
  std::optional<std::string> input_type;  // only in later checkpoints
};

struct UpstreamCheckpoint : UpstreamSizes {
  /// Parameters and buffers under upstream's names.
  std::map<std::string, StoredTensor> state_dict;
  /// The optimizer's state as it is in the file, for read_upstream_adam; nothing in most seed
  /// checkpoints.
  std::optional<PickleValue> optimizer_state_dict;
};

/// Reads what torch.save wrote. A key that is missing or of the wrong kind, and a file that
/// read_torch_file refuses, are Errors that name file and key. What the sizes mean together is not
/// checked here.
UpstreamCheckpoint read_upstream_checkpoint(const std::filesystem::path& path);

/// The state of torch.optim.Adam. Moments are in the order of model.parameters(), which is that of
/// the state dictionary without its buffers.
struct UpstreamAdam {
  double learning_rate = 0;
  int64_t step = 0;  // 0: no step was taken, there are no moments
  std::vector<StoredTensor> first_moments, second_moments;
  std::string path;  // the file and the place in it, as messages begin
};

/// Takes an optimizer's state dictionary apart. A state that upstream's Adam (betas 0.9 and 0.999,
/// eps 1e-8, no weight decay, no amsgrad, one group, every parameter stepped equally often) cannot
/// have is an Error that names the place. Shapes are not checked here.
UpstreamAdam read_upstream_adam(const PickleValue& state_dict);

/// Float32 values that somebody else owns.
struct NamedFloats {
  std::string name;
  std::vector<int64_t> shape;
  const float* data = nullptr;
};

/// Adam's state as write_upstream_checkpoint writes it.
struct UpstreamAdamContent {
  float learning_rate = 1e-3F;  // torch's default
  int64_t step = 0;
  /// One each for every parameter, in order; unused and empty where `step` is 0.
  std::vector<NamedFloats> first_moments, second_moments;
  size_t parameters = 0;
};

/// What write_upstream_checkpoint writes.
struct UpstreamContent {
  UpstreamSizes sizes;
  std::vector<NamedFloats> state_dict;  // parameters and buffers, in upstream's order
  std::optional<UpstreamAdamContent> optimizer;
};

/// Writes atomically. The same content gives the same bytes.
void write_upstream_checkpoint(const std::filesystem::path& path, const UpstreamContent& content);

/// The double that the shortest decimal text of a float stands for: 0.2 of 0.2F. Upstream's numbers
/// come from such texts.
double decimal_value(float value);

}  // namespace dsf
