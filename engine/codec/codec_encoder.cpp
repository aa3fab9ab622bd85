#include "engine/codec/codec_encoder.h"

#include <algorithm>

#include "kernels/snake/snake.h"

namespace dsf {
namespace {

constexpr int64_t kMaxSamples = int64_t{1} << 33;  // two days of sound at once: no size overflows

int64_t whole_frames(const Codec& codec, int64_t samples) {
  if (samples < 1 || samples > kMaxSamples) {
    fail("{} samples cannot be encoded at once: 1 … {} can", samples, kMaxSamples);
  }
  const int64_t hop = codec.config().hop();
  return (samples + hop - 1) / hop * hop;
}

}  // namespace

CodecEncoder::CodecEncoder(const Codec& codec, int64_t max_samples)
    : codec_(codec),
      max_samples_(whole_frames(codec, max_samples)),
      arena_(codec.context()),
      activations_(arena_, "encoder", codec.encoder_geometry().largest_activation(max_samples_)) {
  const CodecConfig& config = codec.config();
  const int64_t frames = codec.encoder_geometry().frames(max_samples_, true);
  projections_ =
      arena_.tensor("encoder.projections", {frames * config.n_codebooks * config.codebook_dim});
  device_codes_ = arena_.index("encoder.codes", {config.n_codebooks * frames});
}

/// From the sound to the latents.
Tensor CodecEncoder::run_layers(Tensor x, bool padded) const {
  Context ctx = codec_.context();
  ctx.precision = Precision::fp32;  // as the weights were loaded for
  const EncoderWeights& weights = codec_.encoder();
  const auto convolve = [&](Tensor in, const Convolution& layer, const Conv1dSpec& spec) {
    const int64_t length = conv1d_length(in.dim(1), layer.w.dim(0), spec);
    const Tensor out = view(activations_.others(in)[0], {1, length, layer.b.size()});
    conv1d_forward(ctx, out, in, layer.w, layer.b, spec);
    return out;
  };
  x = convolve(x, weights.first, convolution_spec(1, padded));
  for (const EncoderBlock& block : weights.blocks) {
    Activated y{x, view(activations_.others(x)[0], x.shape)};
    snake_forward(ctx, y.snake, y.x, block.units[0].alpha);
    for (size_t i = 0; i < block.units.size(); ++i) {
      const bool last = i + 1 == block.units.size();
      y = activations_.run_unit(ctx, y, block.units[i],
                                last ? SnakeInto{block.alpha} : snake_into(block.units[i + 1]),
                                padded);
    }
    x = convolve(y.snake, block.downsample, {block.rate, 1, padded ? (block.rate + 1) / 2 : 0});
  }
  snake_forward(ctx, x, x, weights.alpha);
  return convolve(x, weights.last, {1, 1, padded ? (kLatentKernel - 1) / 2 : 0});
}

ConstIndexTensor CodecEncoder::encode(std::span<const float> samples, int64_t n_codebooks,
                                      bool padded, const Probe& probe) {
  const CodecConfig& config = codec_.config();
  DSF_CHECK(n_codebooks >= 1 && n_codebooks <= config.n_codebooks, "{} of {} codebooks",
            n_codebooks, config.n_codebooks);
  const int64_t length = whole_frames(codec_, static_cast<int64_t>(samples.size()));
  DSF_CHECK(length <= max_samples_, "{} samples, at most {} at once", length, max_samples_);
  const Context& ctx = codec_.context();
  padded_.assign(samples.begin(), samples.end());
  padded_.resize(static_cast<size_t>(length));
  const Tensor sound = view(activations_.first(), {1, length, 1});
  upload(ctx, sound, padded_.data());
  const Tensor latents = run_layers(sound, padded);
  if (probe) probe("encoder_out", latents);

  const int64_t frames = latents.dim(1);
  const IndexTensor codes(device_codes_.data, {1, n_codebooks, frames});
  const Tensor projections = view(projections_, {1, frames, n_codebooks * config.codebook_dim});
  residual_vq_encode(ctx, codes, projections, latents, codec_.quantizer(), codec_.encoder().search);
  if (probe) probe("latents", projections);
  codes_.emplace(ctx, codes);
  const int32_t* found = codes_->data();
  const int32_t* none = std::find(found, found + codes.size(), -1);
  if (none != found + codes.size()) {
    fail("the encoder's latents are no numbers or too large, in frame {}: are the weights damaged?",
         (none - found) % frames);
  }
  return {found, {n_codebooks, frames}};
}

}  // namespace dsf
