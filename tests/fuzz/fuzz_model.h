#pragma once
// A checkpoint of few bytes.
#include <vector>

#include "engine/training/checkpoint.h"

namespace dsf::fuzz {

inline Checkpoint small_checkpoint(ModelClass model_class) {
  CheckpointInfo info;
  info.config.model_class = model_class;
  info.config.embed_size = 4;
  info.config.num_layers = info.config.num_heads = info.config.forward_expansion = 1;
  info.config.lookback = info.config.max_length = 2;
  info.config.num_codebooks = 1;
  info.config.vocab_size = 2;
  info.config.num_classes = info.config.num_parameters = 1;
  info.config.dropout = 0.25F;
  info.class_names = {"wind"};
  info.parameter_names = {"strength"};
  info.epoch = info.step = 3;
  info.learning_rate = 0.5F;
  info.evaluation = {3, 1.5F, 2.5F};
  info.codec = "bundled";
  const ParameterTable table(info.config);
  const std::vector<float> values(static_cast<size_t>(table.size()), 0.5F);
  return {{info, table, values}, values, values};
}

}  // namespace dsf::fuzz
