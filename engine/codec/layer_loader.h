#pragma once
// The layers that a codec's encoder and decoder are made of, and how they come from a weights file.
#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "engine/codec/codec_weights.h"
#include "engine/model/arena.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// The codec's convolutions have kernel 7, but for the encoder's last; a block has three residual
/// units of these dilations.
inline constexpr int64_t kConvolutionKernel = 7, kLatentKernel = 3;
inline constexpr std::array<int64_t, 3> kDilations = {1, 3, 9};

struct Convolution {
  Tensor w;  // prepared by the op's *_prepare, and rounded where bf16 is set
  Tensor b;
  bool bf16 = false;
  bool bf16_input = false;  // what comes to it is to be rounded where it is written
  bool minimal = false;     // w is of conv1d_prepare_minimal
};

/// Snake, before a convolution: by `alpha`, of numbers that are to lie in memory as bf16 or not.
struct SnakeInto {
  ConstTensor alpha;
  bool bf16 = false;
};

/// Snake, convolution of kernel 7, Snake, convolution of kernel 1; added to its input.
struct ResidualUnit {
  int64_t dilation = 1;
  Tensor alpha;
  Convolution dilated;
  Tensor inner_alpha;
  Convolution pointwise;
};
inline SnakeInto snake_into(const ResidualUnit& unit) {
  return {unit.alpha, unit.dilated.bf16_input};
}
using ResidualUnits = std::array<ResidualUnit, kDilations.size()>;

/// Checks, folds and prepares tensors of a weights file into buffers of `arena`, under the names
/// that they have in the file. Weights of convolutions are rounded where the context wants them so
/// (rounds_convolution).
class LayerLoader {
 public:
  /// `minimal`: convolutions of 7 taps by minimal filtering, where the device has it and it pays.
  LayerLoader(const Context& ctx, Arena& arena, const CodecWeights& weights, bool minimal = false)
      : ctx_(ctx),
        arena_(arena),
        weights_(weights),
        minimal_(minimal && ctx.device == Device::cpu) {}

  const CodecWeights& weights() const { return weights_; }
  /// The α of Snake `name`.
  Tensor alpha(const std::string& name, int64_t channels);
  /// Its stride is to be 1 where its kernel is 7.
  Convolution convolution(const std::string& name, int64_t inputs, int64_t outputs, int64_t kernel);
  /// A transposed convolution.
  Convolution upsampling(const std::string& name, int64_t inputs, int64_t outputs, int64_t kernel);
  /// The residual units `name`.block.`first` and those after it.
  ResidualUnits residual_units(const std::string& name, int64_t first, int64_t channels);

  /// A buffer on the device with what `write` puts into one of the host's.
  template <class Write>
  Tensor filled(const std::string& name, const Shape& shape, const Write& write) {
    const Tensor tensor = arena_.tensor(name, shape);
    if (ctx_.device == Device::cpu) {
      write(tensor);
      return tensor;
    }
    std::vector<float> staging(static_cast<size_t>(shape.size()));
    write(Tensor(staging.data(), shape));
    upload(ctx_, tensor, staging.data());
    return tensor;
  }

  /// Per quantizer: `write(its slice of the buffer, the quantizer's name)`.
  template <class Write>
  Tensor of_quantizers(const std::string& name, const Shape& shape, const Write& write) {
    return filled(name, shape, [&](Tensor all) {
      for (int64_t m = 0; m < shape[0]; ++m) {
        write(all.slice(m, 1), fmt::format("quantizer.quantizers.{}", m));
      }
    });
  }

 private:
  Tensor stored(const std::string& name, const std::vector<int64_t>& shape, const Shape& used);
  /// With the weights that `write` puts into a tensor [K, Cin, Cout] or, transposed, [Cin, K,
  /// Cout].
  Convolution prepared(const std::string& name, const Shape& shape, bool transposed,
                       const std::function<void(Tensor)>& write);
  ResidualUnit residual_unit(const std::string& name, int64_t channels, int64_t dilation);

  const Context& ctx_;
  Arena& arena_;
  const CodecWeights& weights_;
  const bool minimal_;
};

}  // namespace dsf
