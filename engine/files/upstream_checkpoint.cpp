#include "engine/files/upstream_checkpoint.h"

#include "engine/files/torch_file.h"

namespace dsf {

UpstreamCheckpoint read_upstream_checkpoint(const std::filesystem::path& path) {
  const PickleValue file = read_torch_file(path);
  UpstreamCheckpoint checkpoint;
  checkpoint.inf_context_length = file.at("inf_context_length").as_int();
  checkpoint.embed_size = file.at("embed_size").as_int();
  checkpoint.num_layers = file.at("num_layers").as_int();
  checkpoint.num_heads = file.at("num_heads").as_int();
  checkpoint.forward_expansion = file.at("forward_expansion").as_int();
  checkpoint.dropout = file.at("dropout").as_double();
  checkpoint.max_len = file.at("max_len").as_int();
  checkpoint.num_codebooks = file.at("num_codebooks").as_int();
  checkpoint.vocab_size = file.at("vocab_size").as_int();
  checkpoint.cond_size = file.at("cond_size").as_int();
  checkpoint.num_classes = file.at("num_classes").as_int();
  if (const auto value = file.find("use_adaLN")) checkpoint.use_adaln = value->as_bool();
  if (const auto value = file.find("input_type")) checkpoint.input_type = value->as_string();
  for (const auto& [name, tensor] : file.at("model_state_dict").entries()) {
    checkpoint.state_dict.emplace(name.as_string(), tensor.as_tensor());
  }
  return checkpoint;
}

}  // namespace dsf
