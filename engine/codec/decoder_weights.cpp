#include "engine/codec/decoder_weights.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/codec/decoder_geometry.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf {
namespace {

class Preparation {
 public:
  Preparation(const Context& ctx, Arena& arena, const CodecWeights& weights)
      : ctx_(ctx), arena_(arena), weights_(weights) {}

  Tensor alpha(const std::string& name, int64_t channels) {
    return stored(name + ".alpha", {1, channels, 1}, {channels});
  }

  Convolution convolution(const std::string& name, int64_t inputs, int64_t outputs,
                          int64_t kernel) {
    std::vector<float> folded = weights_.folded_weight(name, {outputs, inputs, kernel});
    const Tensor w = filled(name + ".weight", {kernel, inputs, outputs}, [&](Tensor prepared) {
      conv1d_prepare(Context{}, prepared, Tensor(folded.data(), {outputs, inputs, kernel}));
    });
    return {w, stored(name + ".bias", {outputs}, {outputs})};
  }

  Convolution upsampling(const std::string& name, int64_t inputs, int64_t outputs, int64_t kernel) {
    std::vector<float> folded = weights_.folded_weight(name, {inputs, outputs, kernel});
    const Tensor w = filled(name + ".weight", {inputs, kernel, outputs}, [&](Tensor prepared) {
      conv_transpose1d_prepare(Context{}, prepared,
                               Tensor(folded.data(), {inputs, outputs, kernel}));
    });
    return {w, stored(name + ".bias", {outputs}, {outputs})};
  }

  ResidualUnit residual_unit(const std::string& name, int64_t channels, int64_t dilation) {
    ResidualUnit unit;
    unit.dilation = dilation;
    unit.alpha = alpha(name + ".block.0", channels);
    unit.dilated = convolution(name + ".block.1", channels, channels, kConvolutionKernel);
    unit.inner_alpha = alpha(name + ".block.2", channels);
    unit.pointwise = convolution(name + ".block.3", channels, channels, 1);
    return unit;
  }

  DecoderBlock block(const std::string& name, int64_t inputs, int64_t outputs, int64_t rate) {
    DecoderBlock result;
    result.rate = rate;
    result.alpha = alpha(name + ".block.0", inputs);
    result.upsample = upsampling(name + ".block.1", inputs, outputs, 2 * rate);
    for (size_t i = 0; i < result.units.size(); ++i) {
      result.units[i] =
          residual_unit(fmt::format("{}.block.{}", name, i + 2), outputs, kDilations[i]);
    }
    return result;
  }

  ResidualVq quantizer() {
    const CodecConfig& config = weights_.config;
    const int64_t count = config.n_codebooks, size = config.codebook_size,
                  dims = config.codebook_dim, latents = config.latent_dim;
    for (int64_t m = 0; m < count; ++m) {  // before the sizes of kwargs are allocated
      const std::string name = fmt::format("quantizer.quantizers.{}", m);
      weights_.require(name + ".codebook.weight", {size, dims});
      weights_.require_weight(name + ".out_proj", {latents, dims, 1});
      weights_.require(name + ".out_proj.bias", {latents});
    }
    const auto for_each = [&](Tensor all, const auto& write) {
      for (int64_t m = 0; m < count; ++m) {
        write(all.slice(m, 1), fmt::format("quantizer.quantizers.{}", m));
      }
    };
    const Tensor codebooks = filled("quantizer.codebooks", {count, size, dims}, [&](Tensor all) {
      for_each(all, [&](Tensor one, const std::string& name) {
        copy(one, weights_.floats(name + ".codebook.weight", {size, dims}));
      });
    });
    const Tensor w = filled("quantizer.out_proj.weights", {count, dims, latents}, [&](Tensor all) {
      for_each(all, [&](Tensor one, const std::string& name) {
        std::vector<float> folded = weights_.folded_weight(name + ".out_proj", {latents, dims, 1});
        // [L, D] transposed to [D, L]: the layout of a convolution of kernel 1.
        conv1d_prepare(Context{}, one, Tensor(folded.data(), {latents, dims, 1}));
      });
    });
    const Tensor b = filled("quantizer.out_proj.biases", {count, latents}, [&](Tensor all) {
      for_each(all, [&](Tensor one, const std::string& name) {
        copy(one, weights_.floats(name + ".out_proj.bias", {latents}));
      });
    });
    return {codebooks, w, b};
  }

 private:
  static void copy(Tensor target, const std::vector<float>& source) {
    std::copy(source.begin(), source.end(), target.data);
  }

  Tensor stored(const std::string& name, const std::vector<int64_t>& shape, const Shape& used) {
    const std::vector<float> values = weights_.floats(name, shape);
    return filled(name, used, [&](Tensor tensor) { copy(tensor, values); });
  }

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

  const Context& ctx_;
  Arena& arena_;
  const CodecWeights& weights_;
};

}  // namespace

DecoderWeights prepare_decoder(const Context& ctx, Arena& arena, const CodecWeights& weights) {
  const CodecConfig& config = weights.config;
  Preparation prepare(ctx, arena, weights);
  DecoderWeights decoder;
  decoder.vq = prepare.quantizer();
  decoder.first = prepare.convolution("decoder.model.0", config.latent_dim, config.decoder_dim,
                                      kConvolutionKernel);
  const auto blocks = static_cast<int64_t>(config.decoder_rates.size());
  for (int64_t i = 0; i < blocks; ++i) {
    decoder.blocks.push_back(prepare.block(
        fmt::format("decoder.model.{}", i + 1), config.decoder_channels(i),
        config.decoder_channels(i + 1), config.decoder_rates[static_cast<size_t>(i)]));
  }
  const int64_t channels = config.decoder_channels(blocks);
  decoder.alpha = prepare.alpha(fmt::format("decoder.model.{}", blocks + 1), channels);
  decoder.last = prepare.convolution(fmt::format("decoder.model.{}", blocks + 2), channels, 1,
                                     kConvolutionKernel);
  return decoder;
}

}  // namespace dsf
