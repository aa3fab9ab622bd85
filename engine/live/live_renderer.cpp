#include "engine/live/live_renderer.h"

#include <algorithm>

#include "engine/audio/loudness.h"
#include "engine/generation/prime.h"
#include "engine/live/live_gain.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

int64_t checked(int64_t chunk_frames) {
  check_chunk_frames(chunk_frames);
  return chunk_frames;
}

std::unique_ptr<FrameGenerator> generator_of(LiveModel& live) {
  const ModelConfig& config = live.model.info.config;
  const Prime prime = make_prime(read_prime({}, config, 1), config, {live.seed});
  GenerationOptions options{live.sampling, {live.seed}};
  options.weights = live.weights;
  return make_generator(config, live.model.table, live.model.weights_view(), options, prime.view(),
                        live.codec.context());
}

constexpr int64_t kChunksOfAChoice = 16;
constexpr double kKeepsUp = 0.9;  // a load that needs no other choice

}  // namespace

void ThreadChoice::add(double load) {
  sum_ += load;
  double& mine = known_.at(all_ ? 1 : 0);
  double& other = known_.at(all_ ? 0 : 1);
  // A trial that goes wrong ends as soon as it cannot come out better, before it is heard for long;
  // so does the first, as soon as it cannot keep up.
  const bool worse = mine < 0 && sum_ > kChunksOfAChoice * (other >= 0 ? other : kKeepsUp);
  if (++chunks_ < kChunksOfAChoice && !worse) return;
  mine = sum_ / static_cast<double>(chunks_);
  chunks_ = 0;
  sum_ = 0;
  if (worse && other >= 0) forgotten_ *= 2;
  if (++age_ > forgotten_) other = -1;
  if (mine <= kKeepsUp || most_ == 1 || (other >= 0 && other >= mine)) return;
  all_ = !all_;
  age_ = 0;
}

void check_chunk_frames(int64_t frames) {
  if (frames < 1 || frames > kMostChunkFrames) {
    fail_usage("chunks of {} frames; expected 1 to {}", frames, kMostChunkFrames);
  }
}

LiveRenderer::LiveRenderer(LiveModel model, int64_t chunk_frames)
    : model_(std::move(model)),
      chunk_frames_(checked(chunk_frames)),
      gain_(gain_factor(model_.gain)),
      ceiling_(gain_factor(kLiveCeiling)),
      control_(model_.begin),
      given_(model_.begin),
      heeded_(model_.begin),
      generator_(generator_of(model_)),
      decoder_(model_.codec, chunk_frames),
      codes_(static_cast<size_t>(model_.model.info.config.num_codebooks * chunk_frames)) {}

std::span<const float> LiveRenderer::render() {
  const Clock::time_point begin = Clock::now();
  {
    const ThreadLimit limit(threads_.threads());
    draw();
    decode();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  times_.worst = times_.chunks == 1 ? seconds : std::max(times_.worst, seconds);
  times_.seconds += seconds;
  times_.samples += std::ssize(samples_);
  ++times_.chunks;
  threads_.add(seconds / model_.timing.seconds(chunk_frames_));
  return samples_;
}

void LiveRenderer::draw() {
  const int64_t codebooks = std::ssize(codes_) / chunk_frames_;
  for (int64_t frame = 0; frame < chunk_frames_; ++frame) {
    const ConstIndexTensor drawn = draw_frame();
    for (int64_t n = 0; n < codebooks; ++n) {
      codes_[static_cast<size_t>(n * chunk_frames_ + frame)] = drawn[n];
    }
  }
}

ConstIndexTensor LiveRenderer::draw_frame() {
  const std::span<const float> values = control_.advance();
  try {
    const ConstIndexTensor drawn = generator_->next(values.data());
    heeded_.swap(given_);
    given_.assign(values.begin(), values.end());
    return drawn;
  } catch (const Error&) {
    if (given_ == heeded_ || !generator_->replace_conditioning(heeded_.data())) throw;
  }
  ++times_.held;
  given_ = heeded_;
  return generator_->next(heeded_.data());
}

void LiveRenderer::decode() {
  const int64_t codebooks = std::ssize(codes_) / chunk_frames_;
  const std::span<const float> decoded =
      decoder_.decode({codes_.data(), {codebooks, chunk_frames_}});
  samples_.assign(decoded.begin(), decoded.end());
  for (float& sample : samples_) {
    const float loud = sample * gain_;
    sample = std::clamp(loud, -ceiling_, ceiling_);
    times_.cut += sample != loud;
  }
}

}  // namespace dsf
