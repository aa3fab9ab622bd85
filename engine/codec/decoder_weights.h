#pragma once
// The decoder's weights as its ops take them.
#include <array>
#include <vector>

#include "engine/codec/codec_weights.h"
#include "engine/model/arena.h"
#include "kernels/common/tensor.h"
#include "kernels/residual_vq/residual_vq.h"

namespace dsf {

struct Convolution {
  Tensor w;  // prepared by the op's *_prepare
  Tensor b;
};

/// Snake, convolution of kernel 7, Snake, convolution of kernel 1; added to its input.
struct ResidualUnit {
  int64_t dilation = 1;
  Tensor alpha;
  Convolution dilated;
  Tensor inner_alpha;
  Convolution pointwise;
};

/// Snake, transposed convolution by `rate` to half the channels, three residual units.
struct DecoderBlock {
  int64_t rate = 1;
  Tensor alpha;
  Convolution upsample;
  std::array<ResidualUnit, 3> units;
};

struct DecoderWeights {
  ResidualVq vq;
  Convolution first;
  std::vector<DecoderBlock> blocks;
  Tensor alpha;
  Convolution last;
};

/// Checks, folds and prepares the decoder's and quantizer's tensors into buffers of `arena`.
DecoderWeights prepare_decoder(const Context& ctx, Arena& arena, const CodecWeights& weights);

}  // namespace dsf
