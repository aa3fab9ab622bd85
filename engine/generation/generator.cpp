#include "engine/generation/generator.h"

#include <algorithm>

#include "engine/model/cached_decoder.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

int64_t streams_of(const GenerationOptions& options) {
  DSF_CHECK(!options.seeds.empty() && options.first_frame >= 0, "{} streams, first frame {}",
            options.seeds.size(), options.first_frame);
  return static_cast<int64_t>(options.seeds.size());
}

/// Draws the codes [B, N] of frame `frame` from logits [B·N, V], each stream with its own numbers.
void sample_frame(const Context& ctx, const GenerationOptions& options, int64_t frame,
                  ConstTensor logits, IndexTensor codes) {
  const int64_t n = codes.cols();
  for (int64_t stream = 0; stream < codes.rows(); ++stream) {
    const RandomStream numbers{options.seeds[static_cast<size_t>(stream)], purpose_sampling,
                               static_cast<uint32_t>(frame)};
    sample_top_n(ctx, IndexTensor(codes.row(stream), {n}), logits.slice(stream * n, n),
                 options.sampling, numbers);
  }
}

/// Frames before the first new one: [P, N] of all streams, or [B, P, N].
class PrimeFrames {
 public:
  PrimeFrames(ConstIndexTensor prime, int64_t streams, const ModelConfig& config) {
    if (!prime) return;
    DSF_CHECK((prime.rank() == 2 || (prime.rank() == 3 && prime.dim(0) == streams)) &&
                  prime.cols() == config.num_codebooks,
              "prime {} for {} streams of {} codebooks", prime.shape.str(), streams,
              config.num_codebooks);
    frames_ = prime.dim(-2);
    per_stream_ = prime.rank() == 3;
    codes_.assign(prime.data, prime.data + prime.size());
    codebooks_ = config.num_codebooks;
  }
  int64_t frames() const { return frames_; }
  /// The codes of one frame of one stream.
  const int32_t* at(int64_t stream, int64_t frame) const {
    const int64_t row = (per_stream_ ? stream * frames_ : 0) + frame;
    return codes_.data() + row * codebooks_;
  }

 private:
  std::vector<int32_t> codes_;
  int64_t frames_ = 0, codebooks_ = 0;
  bool per_stream_ = false;
};

class CachedGenerator : public FrameGenerator {
 public:
  CachedGenerator(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                  const GenerationOptions& options, ConstIndexTensor prime)
      : config_(config),
        options_(options),
        streams_(streams_of(options)),
        prime_(prime, streams_, config),
        decoder_(config, table, weights, streams_),
        codes_(static_cast<size_t>(streams_ * config.num_codebooks),
               static_cast<int32_t>(config.vocab_size)),  // the start frame
        frame_(options.first_frame) {}

  ConstIndexTensor next(const Context& ctx, const float* cond) override {
    const int64_t n = config_.num_codebooks;
    const IndexTensor codes{codes_.data(), {streams_, n}};
    decoder_.set_conditioning(ctx, {cond, {1, config_.cond_size()}});
    for (; primed_ < prime_.frames(); ++primed_) {
      decoder_.forward(ctx, codes);
      for (int64_t b = 0; b < streams_; ++b) std::copy_n(prime_.at(b, primed_), n, codes.row(b));
    }
    logits_ = decoder_.forward(ctx, codes).reshaped({streams_ * n, config_.vocab_size});
    sample_frame(ctx, options_, frame_++, logits_, codes);
    return codes;
  }
  ConstTensor logits() const override { return logits_; }

 private:
  ModelConfig config_;
  GenerationOptions options_;
  int64_t streams_;
  PrimeFrames prime_;
  CachedDecoder decoder_;
  std::vector<int32_t> codes_;  // [B, N], the frame before the next
  ConstTensor logits_;
  int64_t frame_, primed_ = 0;
};

class WindowGenerator : public FrameGenerator {
 public:
  WindowGenerator(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                  const GenerationOptions& options, ConstIndexTensor prime)
      : config_(config),
        options_(options),
        streams_(streams_of(options)),
        model_(config, {streams_, config.lookback, 0, false}),
        drawn_(static_cast<size_t>(streams_ * config.num_codebooks)),
        frame_(options.first_frame) {
    DSF_CHECK(weights.size() == table.size() && table.size() == model_.table().size(),
              "{} weights for a model of {}", weights.size(), model_.table().size());
    std::copy_n(weights.data, weights.size(), model_.weights().data);
    if (!prime) {
      window_ = random_prime(config, options.seeds);
      return;
    }
    const PrimeFrames frames(prime, streams_, config);
    const int64_t ti = config.lookback;
    DSF_CHECK(frames.frames() >= ti, "prime {} for Ti {}", prime.shape.str(), ti);
    for (int64_t b = 0; b < streams_; ++b) {
      const int32_t* first = frames.at(b, frames.frames() - ti);
      window_.insert(window_.end(), first, first + ti * config.num_codebooks);
    }
  }

  ConstIndexTensor next(const Context& ctx, const float* cond) override {
    const int64_t n = config_.num_codebooks, c = config_.cond_size(), ti = config_.lookback;
    if (conditions_.empty()) {
      for (int64_t i = 0; i < streams_ * ti; ++i) {
        conditions_.insert(conditions_.end(), cond, cond + c);
      }
    }
    PassOptions pass;
    pass.last_logits_only = true;
    const Batch batch{{window_.data(), {streams_, ti, n}},
                      {conditions_.data(), {streams_ * ti, c}}};
    logits_ = model_.forward(ctx, batch, pass).reshaped({streams_ * n, config_.vocab_size});
    const IndexTensor codes{drawn_.data(), {streams_, n}};
    sample_frame(ctx, options_, frame_++, logits_, codes);
    for (int64_t b = 0; b < streams_; ++b) {
      shift_in(window_.data() + b * ti * n, ti * n, codes.row(b), n);
      shift_in(conditions_.data() + b * ti * c, ti * c, cond, c);
    }
    return codes;
  }
  ConstTensor logits() const override { return logits_; }

 private:
  /// Drops the first `width` of `size` values and puts `added` behind the others.
  template <class T>
  static void shift_in(T* values, int64_t size, const T* added, int64_t width) {
    std::copy(values + width, values + size, values);
    std::copy_n(added, width, values + size - width);
  }

  ModelConfig config_;
  GenerationOptions options_;
  int64_t streams_;
  Transformer model_;
  std::vector<int32_t> window_;    // [B, Ti, N]
  std::vector<float> conditions_;  // [B·Ti, C], of the windows' positions
  std::vector<int32_t> drawn_;     // [B, N]
  ConstTensor logits_;
  int64_t frame_;
};

}  // namespace

std::vector<int32_t> random_prime(const ModelConfig& config, const std::vector<uint64_t>& seeds) {
  const int64_t per_stream = config.lookback * config.num_codebooks;
  std::vector<int32_t> codes;
  for (const uint64_t seed : seeds) {
    const RandomStream stream{seed, purpose_priming, 0};
    for (int64_t i = 0; i < per_stream; ++i) {
      codes.push_back(static_cast<int32_t>(random_words(stream, static_cast<uint64_t>(i))[0] %
                                           static_cast<uint32_t>(config.vocab_size)));
    }
  }
  return codes;
}

std::unique_ptr<FrameGenerator> make_cached_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime) {
  return std::make_unique<CachedGenerator>(config, table, weights, options, prime);
}

std::unique_ptr<FrameGenerator> make_window_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime) {
  return std::make_unique<WindowGenerator>(config, table, weights, options, prime);
}

std::unique_ptr<FrameGenerator> make_generator(const ModelConfig& config,
                                               const ParameterTable& table, Tensor weights,
                                               const GenerationOptions& options,
                                               ConstIndexTensor prime) {
  if (config.model_class == ModelClass::streaming) {
    return make_cached_generator(config, table, weights, options, prime);
  }
  return make_window_generator(config, table, weights, options, prime);
}

}  // namespace dsf
