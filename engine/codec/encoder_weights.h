#pragma once
// The encoder's weights as its ops take them.
#include <vector>

#include "engine/codec/layer_loader.h"
#include "kernels/residual_vq/residual_vq.h"

namespace dsf {

/// Three residual units, Snake, convolution with stride `rate` to twice the channels.
struct EncoderBlock {
  int64_t rate = 1;
  ResidualUnits units;
  Tensor alpha;
  Convolution downsample;
};

struct EncoderWeights {
  Convolution first;
  std::vector<EncoderBlock> blocks;
  Tensor alpha;
  Convolution last;
  ResidualVqSearch search;
};

EncoderWeights load_encoder(LayerLoader& load);

}  // namespace dsf
