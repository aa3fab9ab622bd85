#include "engine/files/upstream_checkpoint.h"

#include "engine/files/torch_file.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// A size, small enough that sums and products of two cannot overflow.
int64_t size_at(const PickleValue& file, std::string_view key) {
  constexpr int64_t kMost = 1'000'000'000;
  const PickleValue value = file.at(key);
  const int64_t size = value.as_int();
  if (size < 0 || size > kMost) {
    fail("{}: found {}, expected a size of 0 to {}", value.path(), size, kMost);
  }
  return size;
}

}  // namespace

UpstreamCheckpoint read_upstream_checkpoint(const std::filesystem::path& path) {
  const PickleValue file = read_torch_file(path);
  UpstreamCheckpoint checkpoint;
  checkpoint.inf_context_length = size_at(file, "inf_context_length");
  checkpoint.embed_size = size_at(file, "embed_size");
  checkpoint.num_layers = size_at(file, "num_layers");
  checkpoint.num_heads = size_at(file, "num_heads");
  checkpoint.forward_expansion = size_at(file, "forward_expansion");
  checkpoint.dropout = file.at("dropout").as_double();
  checkpoint.max_len = size_at(file, "max_len");
  checkpoint.num_codebooks = size_at(file, "num_codebooks");
  checkpoint.vocab_size = size_at(file, "vocab_size");
  checkpoint.cond_size = size_at(file, "cond_size");
  checkpoint.num_classes = size_at(file, "num_classes");
  if (const auto value = file.find("use_adaLN")) checkpoint.use_adaln = value->as_bool();
  if (const auto value = file.find("input_type")) checkpoint.input_type = value->as_string();
  for (const auto& [name, tensor] : file.at("model_state_dict").entries()) {
    checkpoint.state_dict.emplace(name.as_string(), tensor.as_tensor());
  }
  return checkpoint;
}

}  // namespace dsf
