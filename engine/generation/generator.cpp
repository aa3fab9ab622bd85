#include "engine/generation/generator.h"

#include <algorithm>

#include "engine/model/cached_decoder.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

/// Draws the codes of frame `frame` from logits [N, V].
void sample_frame(const Context& ctx, const GenerationOptions& options, int64_t frame,
                  ConstTensor logits, IndexTensor codes) {
  const RandomStream stream{options.seed, purpose_sampling, static_cast<uint32_t>(frame)};
  sample_top_n(ctx, codes, logits, options.sampling, stream);
}

class CachedGenerator : public FrameGenerator {
 public:
  CachedGenerator(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                  const GenerationOptions& options)
      : config_(config),
        options_(options),
        decoder_(config, table, weights, 1),
        codes_(static_cast<size_t>(config.num_codebooks), static_cast<int32_t>(config.vocab_size)) {
  }  // the start frame

  ConstIndexTensor next(const Context& ctx, const float* cond) override {
    const int64_t n = config_.num_codebooks;
    decoder_.set_conditioning(ctx, {cond, {1, config_.cond_size()}});
    logits_ = decoder_.forward(ctx, {codes_.data(), {1, n}}).reshaped({n, config_.vocab_size});
    sample_frame(ctx, options_, frame_++, logits_, {codes_.data(), {n}});
    return {codes_.data(), {n}};
  }
  ConstTensor logits() const override { return logits_; }

 private:
  ModelConfig config_;
  GenerationOptions options_;
  CachedDecoder decoder_;
  std::vector<int32_t> codes_;
  ConstTensor logits_;
  int64_t frame_ = 0;
};

class WindowGenerator : public FrameGenerator {
 public:
  WindowGenerator(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                  const GenerationOptions& options, ConstIndexTensor prime)
      : config_(config), options_(options), model_(config, {1, config.lookback, 0, false}) {
    DSF_CHECK(weights.size() == table.size() && table.size() == model_.table().size(),
              "{} weights for a model of {}", weights.size(), model_.table().size());
    std::copy_n(weights.data, weights.size(), model_.weights().data);
    window_.resize(static_cast<size_t>(config.lookback * config.num_codebooks));
    if (prime) {
      DSF_CHECK(prime.size() == static_cast<int64_t>(window_.size()), "prime {} for Ti {}",
                prime.shape.str(), config.lookback);
      std::copy_n(prime.data, prime.size(), window_.data());
    } else {
      const RandomStream stream{options.seed, purpose_priming, 0};
      for (size_t i = 0; i < window_.size(); ++i) {
        window_[i] = static_cast<int32_t>(random_words(stream, i)[0] %
                                          static_cast<uint32_t>(config.vocab_size));
      }
    }
  }

  ConstIndexTensor next(const Context& ctx, const float* cond) override {
    const int64_t n = config_.num_codebooks, c = config_.cond_size(), ti = config_.lookback;
    if (frame_ == 0) {
      for (int64_t i = 0; i < ti; ++i) conditions_.insert(conditions_.end(), cond, cond + c);
    }
    PassOptions pass;
    pass.last_logits_only = true;
    const Batch batch{{window_.data(), {1, ti, n}}, {conditions_.data(), {ti, c}}};
    logits_ = model_.forward(ctx, batch, pass).reshaped({n, config_.vocab_size});
    std::rotate(window_.begin(), window_.begin() + n, window_.end());
    std::rotate(conditions_.begin(), conditions_.begin() + c, conditions_.end());
    const IndexTensor codes{window_.data() + (ti - 1) * n, {n}};
    sample_frame(ctx, options_, frame_++, logits_, codes);
    std::copy_n(cond, c, conditions_.end() - c);
    return codes;
  }
  ConstTensor logits() const override { return logits_; }

 private:
  ModelConfig config_;
  GenerationOptions options_;
  Transformer model_;
  std::vector<int32_t> window_;    // [Ti, N]
  std::vector<float> conditions_;  // [Ti, C], of the window's positions
  ConstTensor logits_;
  int64_t frame_ = 0;
};

}  // namespace

std::unique_ptr<FrameGenerator> make_cached_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options) {
  return std::make_unique<CachedGenerator>(config, table, weights, options);
}

std::unique_ptr<FrameGenerator> make_window_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime) {
  return std::make_unique<WindowGenerator>(config, table, weights, options, prime);
}

std::unique_ptr<FrameGenerator> make_generator(const ModelConfig& config,
                                               const ParameterTable& table, Tensor weights,
                                               const GenerationOptions& options) {
  if (config.model_class == ModelClass::streaming) {
    return make_cached_generator(config, table, weights, options);
  }
  return make_window_generator(config, table, weights, options);
}

}  // namespace dsf
