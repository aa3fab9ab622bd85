#pragma once
// A checkpoint of upstream's trainer: sizes of the model and its parameters.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "engine/files/stored_tensor.h"

namespace dsf {

struct UpstreamCheckpoint {
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
  /// Parameters and buffers under upstream's names.
  std::map<std::string, StoredTensor> state_dict;
};

/// Reads what torch.save wrote. A key that is missing or of the wrong kind, and a file that
/// read_torch_file refuses, are Errors that name file and key. What the sizes mean together is not
/// checked here.
UpstreamCheckpoint read_upstream_checkpoint(const std::filesystem::path& path);

}  // namespace dsf
