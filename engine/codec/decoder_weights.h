#pragma once
// The weights of decoder and quantizer as their ops take them.
#include <vector>

#include "engine/codec/layer_loader.h"
#include "kernels/residual_vq/residual_vq.h"

namespace dsf {

/// Snake, transposed convolution by `rate` to half the channels, three residual units.
struct DecoderBlock {
  int64_t rate = 1;
  Tensor alpha;
  Convolution upsample;
  ResidualUnits units;
};

inline SnakeInto snake_into(const DecoderBlock& block) {
  return {block.alpha, block.upsample.bf16_input};
}

struct DecoderWeights {
  Convolution first;
  std::vector<DecoderBlock> blocks;
  Tensor alpha;
  Convolution last;
};

ResidualVq load_quantizer(LayerLoader& load);
DecoderWeights load_decoder(LayerLoader& load);

}  // namespace dsf
