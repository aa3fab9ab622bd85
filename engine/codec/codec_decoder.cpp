#include "engine/codec/codec_decoder.h"

#include <algorithm>

#include "kernels/conv_transpose1d/conv_transpose1d.h"
#include "kernels/snake/snake.h"

namespace dsf {
namespace {

constexpr int64_t kMaxFrames = int64_t{1} << 24;  // two days of sound at once: no size overflows

}  // namespace

/// Checked before anything is allocated.
static int64_t checked(int64_t max_frames) {
  if (max_frames < 1 || max_frames > kMaxFrames) {
    fail("{} latent frames cannot be decoded at once: 1 … {} can", max_frames, kMaxFrames);
  }
  return max_frames;
}

CodecDecoder::CodecDecoder(const Codec& codec, int64_t max_frames)
    : codec_(codec),
      max_frames_(checked(max_frames)),
      arena_(codec.context()),
      activations_(arena_, "decoder", codec.geometry().largest_activation(max_frames)) {
  audio_ = arena_.tensor("decoder.audio", {codec.geometry().samples(max_frames, true)});
  window_.reserve(static_cast<size_t>(codec.config().n_codebooks * max_frames));
  device_codes_ = arena_.index("decoder.codes", {codec.config().n_codebooks * max_frames});
}

Activated CodecDecoder::run_block(const Activated& in, const DecoderBlock& block,
                                  const SnakeInto& next, bool padded) {
  const Context& ctx = codec_.context();
  const Convolution& upsample = block.upsample;
  ConvTranspose1dSpec spec{block.rate, padded ? (block.rate + 1) / 2 : 0};
  const Shape shape{1, conv_transpose1d_length(in.snake.dim(1), 2 * block.rate, spec),
                    upsample.b.size()};
  const auto buffers = activations_.others(in.snake);
  const SnakeInto first = snake_into(block.units[0]);
  Activated y{view(buffers[0], shape), view(buffers[1], shape), upsample.bf16 && first.bf16};
  spec.bf16 = {in.bf16, upsample.bf16, y.bf16};
  conv_transpose1d_snake_forward(ctx, y.x, y.snake, in.snake, upsample.w, upsample.b, first.alpha,
                                 spec);
  for (size_t i = 0; i < block.units.size(); ++i) {
    const bool last = i + 1 == block.units.size();
    y = activations_.run_unit(ctx, y, block.units[i], last ? next : snake_into(block.units[i + 1]),
                              padded);
  }
  return y;
}

std::span<const float> CodecDecoder::decode(ConstIndexTensor codes, bool padded,
                                            const Probe& probe) {
  DSF_CHECK(codes.rank() == 2, "codes {}", codes.shape.str());
  const int64_t frames = codes.dim(1);
  if (frames < 1 || frames > max_frames_) {
    fail("{} latent frames for a decoder of 1 … {} at once", frames, max_frames_);
  }
  const int64_t samples = codec_.geometry().samples(frames, padded);  // checks the length, too
  const Context& ctx = codec_.context();
  const DecoderWeights& weights = codec_.decoder();
  const auto report = [&probe](std::string_view stage, ConstTensor activation) {
    if (probe) probe(stage, activation);
  };
  const Tensor z = view(activations_.first(), {1, frames, codec_.config().latent_dim});
  const IndexTensor device_codes(device_codes_.data, {1, codes.dim(0), frames});
  DSF_CHECK(codes.size() <= device_codes_.size(), "codes {}", codes.shape.str());
  upload(ctx, device_codes, codes.data);
  residual_vq_decode(ctx, z, device_codes, codec_.quantizer());
  report("z", z);
  Conv1dSpec spec = convolution_spec(1, padded);
  spec.bf16.w = weights.first.bf16;
  spec.minimal = weights.first.minimal;
  const Tensor x =
      view(activations_.others(z)[0],
           {1, conv1d_length(frames, kConvolutionKernel, spec), codec_.config().decoder_dim});
  conv1d_forward(ctx, x, z, weights.first.w, weights.first.b, spec);
  report("stage0", x);
  snake_forward(ctx, x, x, weights.blocks.front().alpha);
  Activated y{{}, x};
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    const bool last = i + 1 == weights.blocks.size();
    y = run_block(y, weights.blocks[i],
                  last ? SnakeInto{weights.alpha, weights.last.bf16_input}
                       : snake_into(weights.blocks[i + 1]),
                  padded);
    if (probe) probe(fmt::format("stage{}", i + 1), y.x);
  }
  const Tensor audio = view(audio_, {1, samples, 1});
  spec.bf16 = {y.bf16, weights.last.bf16};
  spec.minimal = weights.last.minimal;
  conv1d_tanh_forward(ctx, audio, y.snake, weights.last.w, weights.last.b, spec);
  if (ctx.device == Device::cpu) return {audio.data, static_cast<size_t>(samples)};
  samples_.resize(static_cast<size_t>(samples));
  copy_to_host(ctx, samples_.data(), audio.data, samples_.size() * sizeof(float));
  return samples_;
}

std::span<const float> CodecDecoder::decode_window(ConstIndexTensor codes, int64_t first,
                                                   int64_t count, bool padded) {
  DSF_CHECK(codes.rank() == 2 && codes.dim(0) <= codec_.config().n_codebooks, "codes {}",
            codes.shape.str());
  DSF_CHECK(first >= 0 && count >= 1 && count <= max_frames_ && first + count <= codes.dim(1),
            "frames {} … {} of {}, at most {} at once", first, first + count - 1, codes.dim(1),
            max_frames_);
  window_.resize(static_cast<size_t>(codes.dim(0) * count));
  const IndexTensor window(window_.data(), {codes.dim(0), count});
  for (int64_t n = 0; n < codes.dim(0); ++n) {
    std::copy_n(codes.row(n) + first, count, window.row(n));
  }
  return decode(window, padded);
}

std::span<const float> CodecDecoder::decode_part(ConstIndexTensor codes, int64_t first,
                                                 int64_t count, bool padded) {
  DSF_CHECK(codes.rank() == 2 && first >= 0 && count >= 1, "frames {} … {} of codes {}", first,
            first + count - 1, codes.shape.str());
  const DecoderGeometry& geometry = codec_.geometry();
  const auto [before, after] = geometry.reach(padded);
  const int64_t frames = codes.dim(1), hop = codec_.config().hop();
  // Without padding, and where a rate is odd, there are fewer samples than frames·hop.
  const int64_t samples = std::min(count * hop, geometry.samples(frames, padded) - first * hop);
  if (samples <= 0) return {};
  const int64_t begin = std::max<int64_t>(0, first - before);
  const int64_t end = std::min(frames, first + count + after);
  return decode_window(codes, begin, end - begin, padded)
      .subspan(static_cast<size_t>((first - begin) * hop), static_cast<size_t>(samples));
}

}  // namespace dsf
