#include "engine/codec/stream_decoder.h"

#include <algorithm>

#include "engine/codec/activations.h"
#include "kernels/common/memory.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"
#include "kernels/residual_vq/residual_vq.h"
#include "kernels/snake/snake.h"

namespace dsf {
namespace {

/// Zeros that a convolution sees before the first frame and behind the last.
int64_t padding_of(int64_t dilation) {
  return convolution_spec(dilation, true).padding;
}

/// What it reads around a frame, besides that frame.
int64_t reach_of(int64_t dilation) {
  return dilation * (kConvolutionKernel - 1);
}

/// Frames that a transposed convolution computes and padding cuts off, at each end.
int64_t cut_of(int64_t rate) {
  return (rate + 1) / 2;
}

/// Of a convolution without padding. What is queued are floats, whatever the weights are.
Conv1dSpec unpadded(int64_t dilation, const Convolution& weights) {
  return {1, dilation, 0, {.w = weights.bf16}, weights.minimal};
}

}  // namespace

StreamDecoder::StreamDecoder(const Codec& codec, int64_t max_frames)
    : codec_(codec),
      max_frames_(max_frames),
      arena_(codec.context()),
      device_codes_(arena_.index("stream.codes", {codec.config().n_codebooks * max_frames})),
      latents_(codec.context(), arena_, "stream.latents", codec.config().latent_dim, reach_of(1),
               max_frames + padding_of(1)) {
  const DecoderWeights& weights = codec.decoder();
  int64_t longest = max_frames + padding_of(1);
  blocks_.reserve(weights.blocks.size());
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    const bool last = i + 1 == weights.blocks.size();
    add_block(weights.blocks[i], last ? weights.alpha : weights.blocks[i + 1].alpha, longest);
  }
  longest += padding_of(1);
  inputs_.emplace_back(codec.context(), arena_, "stream.output",
                       codec.config().decoder_channels(std::ssize(blocks_)), reach_of(1), longest);
  audio_ = arena_.tensor("stream.audio", {longest});
  restart();
}

/// `longest` is what comes to the block at most, of max_frames frames and the zeros behind the last
/// of them, and then what comes out of it.
void StreamDecoder::add_block(const DecoderBlock& weights, ConstTensor next_alpha,
                              int64_t& longest) {
  const Context& ctx = codec_.context();
  const int64_t index = std::ssize(blocks_);
  const std::string name = fmt::format("stream.block{}", index);
  inputs_.emplace_back(ctx, arena_, name, codec_.config().decoder_channels(index), 1, ++longest);
  longest *= weights.rate;
  Block& block = blocks_.emplace_back(Block{weights, {}, next_alpha, false});
  const int64_t channels = codec_.config().decoder_channels(index + 1);
  for (const ResidualUnit& unit : weights.units) {
    const std::string queue = fmt::format("{}.unit{}", name, block.units.size());
    const int64_t padding = padding_of(unit.dilation);
    longest += padding;
    block.units.push_back(
        {unit,
         {ctx, arena_, queue + ".x", channels, padding, longest},
         {ctx, arena_, queue + ".snake", channels, reach_of(unit.dilation), longest}});
  }
  const int64_t hidden = longest * channels;
  if (!hidden_ || hidden_.size() < hidden) hidden_ = arena_.tensor(name + ".hidden", {hidden});
}

void StreamDecoder::restart() {
  latents_.restart(padding_of(1));
  for (FrameQueue& input : inputs_) input.restart(1);
  inputs_.back().restart(padding_of(1));
  for (Block& block : blocks_) {
    block.begun = false;
    for (Unit& unit : block.units) {
      unit.x.restart(0);
      unit.snake.restart(padding_of(unit.weights.dilation));
    }
  }
}

std::span<const float> StreamDecoder::decode(ConstIndexTensor codes, bool last) {
  DSF_CHECK(codes.rank() == 2 && codes.dim(0) <= codec_.config().n_codebooks &&
                codes.dim(1) <= max_frames_,
            "codes {}, at most {} frames", codes.shape.str(), max_frames_);
  run_first(codes, last);
  for (size_t block = 0; block < blocks_.size(); ++block) {
    upsample(block, last);
    for (size_t unit = 0; unit < blocks_[block].units.size(); ++unit) run_unit(block, unit, last);
  }
  const auto samples = static_cast<size_t>(run_last(last));
  if (last) restart();
  if (codec_.context().device == Device::cpu) return {audio_.data, samples};
  samples_.resize(samples);
  copy_to_host(codec_.context(), samples_.data(), audio_.data, samples * sizeof(float));
  return samples_;
}

void StreamDecoder::run_first(ConstIndexTensor codes, bool last) {
  const Context& ctx = codec_.context();
  const DecoderWeights& weights = codec_.decoder();
  if (codes.size() > 0) {
    const IndexTensor device_codes(device_codes_.data, {1, codes.dim(0), codes.dim(1)});
    upload(ctx, device_codes, codes.data);
    residual_vq_decode(ctx, latents_.append(codes.dim(1)), device_codes, codec_.quantizer());
  }
  if (last) latents_.append_zeros(padding_of(1));
  const int64_t ready = latents_.size() - reach_of(1);
  if (ready <= 0) return;
  const Tensor x = inputs_.front().append(ready);
  conv1d_forward(ctx, x, latents_.front(latents_.size()), weights.first.w, weights.first.b,
                 unpadded(1, weights.first));
  snake_forward(ctx, x, x, weights.blocks.front().alpha);
  latents_.drop(ready);
}

// With its padding a transposed convolution gives what this one gives, less the first and the last
// frames of the sound.
void StreamDecoder::upsample(size_t index, bool last) {
  FrameQueue& input = inputs_[index];
  Block& block = blocks_[index];
  Unit& unit = block.units.front();
  if (last) input.append_zeros(1);
  const int64_t rate = block.weights.rate, ready = input.size() - 1;
  if (last && !block.begun && ready <= 1) {
    restart();
    fail("too few latent frames to be decoded");
  }
  if (ready <= 0) return;
  const Convolution& weights = block.weights.upsample;
  conv_transpose1d_snake_forward(codec_.context(), unit.x.append(ready * rate),
                                 unit.snake.append(ready * rate), input.front(ready + 1), weights.w,
                                 weights.b, unit.weights.alpha, {rate, rate, {.w = weights.bf16}});
  input.drop(ready);
  if (!block.begun) {
    unit.x.drop_behind_zeros(0, cut_of(rate));
    unit.snake.drop_behind_zeros(padding_of(unit.weights.dilation), cut_of(rate));
    block.begun = true;
  }
  if (last) {
    unit.x.drop_last(cut_of(rate));
    unit.snake.drop_last(cut_of(rate));
  }
}

void StreamDecoder::run_unit(size_t block, size_t index, bool last) {
  const Context& ctx = codec_.context();
  std::vector<Unit>& units = blocks_[block].units;
  Unit& unit = units[index];
  const ResidualUnit& weights = unit.weights;
  if (last) unit.snake.append_zeros(padding_of(weights.dilation));
  const int64_t ready = unit.snake.size() - reach_of(weights.dilation);
  if (ready <= 0) return;
  const Tensor skip = unit.x.front(ready);
  const Tensor hidden = view(hidden_, skip.shape);
  conv1d_snake_forward(ctx, hidden, unit.snake.front(unit.snake.size()), weights.dilated.w,
                       weights.dilated.b, weights.inner_alpha,
                       unpadded(weights.dilation, weights.dilated));
  Tensor y = skip, snake;
  ConstTensor alpha = blocks_[block].next_alpha;
  if (index + 1 < units.size()) {
    Unit& next = units[index + 1];
    y = next.x.append(ready);
    copy_on_device(ctx, y.data, skip.data, static_cast<size_t>(y.size()) * sizeof(float));
    snake = next.snake.append(ready);
    alpha = next.weights.alpha;
  } else {
    snake = inputs_[block + 1].append(ready);
  }
  conv1d_add_snake_forward(ctx, y, snake, hidden, weights.pointwise.w, weights.pointwise.b, alpha,
                           unpadded(1, weights.pointwise));
  unit.x.drop(ready);
  unit.snake.drop(ready);
}

int64_t StreamDecoder::run_last(bool last) {
  FrameQueue& input = inputs_.back();
  if (last) input.append_zeros(padding_of(1));
  const int64_t ready = input.size() - reach_of(1);
  if (ready <= 0) return 0;
  const Convolution& weights = codec_.decoder().last;
  conv1d_tanh_forward(codec_.context(), view(audio_, {1, ready, 1}), input.front(input.size()),
                      weights.w, weights.b, unpadded(1, weights));
  input.drop(ready);
  return ready;
}

}  // namespace dsf
