#include "engine/generation/generator.h"

#include <algorithm>
#include <span>

#include "engine/model/cached_decoder.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/graph.h"
#include "kernels/common/random.h"
#include "kernels/ring_store/ring_store.h"

namespace dsf {
namespace {

int64_t streams_of(const GenerationOptions& options) {
  DSF_CHECK(!options.seeds.empty() && options.first_frame >= 0, "{} streams, first frame {}",
            options.seeds.size(), options.first_frame);
  return static_cast<int64_t>(options.seeds.size());
}

/// Seeds where ops read them.
ConstIndexTensor place_seeds(const Context& ctx, Arena& arena, const std::vector<uint64_t>& seeds) {
  const IndexTensor placed = arena.index("seeds", {static_cast<int64_t>(seeds.size()), 2});
  std::vector<int32_t> halves;
  for (const uint64_t seed : seeds) {
    halves.push_back(static_cast<int32_t>(seed));
    halves.push_back(static_cast<int32_t>(seed >> 32));
  }
  upload(ctx, placed, static_cast<const int32_t*>(halves.data()));
  return placed;
}

/// A GPU cannot raise an Error where a row of logits is not finite, as the CPU does: the row's code
/// is −1.
void check_drawn(std::span<const int32_t> codes) {
  if (std::ranges::any_of(codes, [](int32_t code) { return code < 0; })) {
    fail("the model's logits are not finite: no code can be drawn from them");
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

/// Frames that a GPU may be asked for before any is fetched.
constexpr int64_t kQueuedFrames = 32;

class CachedGenerator : public FrameGenerator {
 public:
  CachedGenerator(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                  const GenerationOptions& options, ConstIndexTensor prime, const Context& ctx)
      : ctx_(ctx),
        config_(config),
        options_(options),
        streams_(streams_of(options)),
        prime_(prime, streams_, config),
        start_code_(static_cast<int32_t>(config.vocab_size)),
        decoder_(config, table, weights, streams_, ctx, options.composed, options.weights),
        arena_(ctx),
        graph_(ctx),
        seeds_(place_seeds(ctx, arena_, options.seeds)),
        codes_(arena_.index("codes", {streams_, config.num_codebooks})),
        history_(arena_.index("history", {capacity(), streams_, config.num_codebooks})),
        newest_(static_cast<size_t>(history_.size())),
        frame_(static_cast<size_t>(codes_.size())),
        fetched_(newest_.size()) {
    place_known(-1, -1);
    kept_.reserve(static_cast<size_t>((capacity() + config.codebook_lag()) * codes_.size()));
  }

  int64_t capacity() const override { return ctx_.device == Device::cpu ? 1 : kQueuedFrames; }

  void draw(const float* cond) override {
    DSF_CHECK(pending_ < capacity(), "{} frames are to be fetched first", pending_);
    decoder_.set_conditioning({cond, {1, config_.cond_size()}});
    const bool first = drawn_ == 0;
    if (first) begin();
    if (first || ctx_.device == Device::cpu) {
      draw_codes();
    } else {
      if (!graph_.recorded()) graph_.record([this] { draw_codes(); });
      graph_.launch();
    }
    count_drawn();
    ++pending_;
  }

  int64_t lookahead() const override { return config_.codebook_lag(); }

  ConstIndexTensor fetch() override {
    copy_to_host(ctx_, newest_.data(), history_.data, newest_.size() * sizeof(int32_t));
    const int64_t frame_size = codes_.size();
    for (int64_t i = 0; i < pending_; ++i) {
      const int64_t slot = (drawn_ - pending_ + i) % capacity();
      keep({newest_.data() + slot * frame_size, static_cast<size_t>(frame_size)});
    }
    const IndexTensor codes(fetched_.data(), {pending_, streams_, config_.num_codebooks});
    for (int64_t i = 0; i < codes.size(); ++i) {
      const int64_t late = i % config_.num_codebooks * config_.codebook_delay;
      codes[i] = kept_[static_cast<size_t>(i + late * frame_size)];
    }
    kept_.erase(kept_.begin(), kept_.begin() + codes.size());
    pending_ = 0;
    return codes;
  }
  ConstTensor logits() const override { return logits_; }

 private:
  /// The frames before the first new one pass through the caches. Delayed codebooks then lag: their
  /// codes of known frames take the places of what is drawn, until all have come to new frames.
  void begin() {
    const int64_t known = prime_.frames();
    for (int64_t i = 0; i < known; ++i) {
      decoder_.forward(codes_);
      place_known(i, known);
    }
    for (int64_t i = 0; i < config_.codebook_lag(); ++i) {
      draw_codes();
      count_drawn();
      copy_to_host(ctx_, frame_.data(), codes_.data, frame_.size() * sizeof(int32_t));
      place_known(known + i, known);
      keep(frame_);
    }
  }

  /// Of the codes at place `place`, which the next step reads, those of frames before `known`; the
  /// others stay as they are in frame_.
  void place_known(int64_t place, int64_t known) {
    for (int64_t i = 0; i < codes_.size(); ++i) {
      const int64_t n = i % config_.num_codebooks;
      const int64_t of = place - n * config_.codebook_delay;
      if (of >= known && of >= 0) continue;
      frame_[static_cast<size_t>(i)] =
          of < 0 ? start_code_ : prime_.at(i / config_.num_codebooks, of)[n];
    }
    upload(ctx_, codes_, static_cast<const int32_t*>(frame_.data()));
  }

  /// What was drawn at a place, until all codes of its frames are there.
  void keep(std::span<const int32_t> codes) {
    check_drawn(codes);
    kept_.insert(kept_.end(), codes.begin(), codes.end());
  }

  void count_drawn() {
    decoder_.count_frame();
    ++drawn_;
  }

  /// All of a step, to be recorded: its number is read on the device.
  void draw_codes() {
    const int64_t rows = streams_ * config_.num_codebooks;
    logits_ = decoder_.step(codes_).reshaped({rows, config_.vocab_size});
    const Counter drawn = decoder_.frame() + -prime_.frames();
    sample_top_n(ctx_, codes_.reshaped({rows}), logits_, options_.sampling,
                 {seeds_, purpose_sampling, drawn + options_.first_frame});
    ring_store_codes(ctx_, history_, codes_, drawn, decoder_.device_frame());
  }

  Context ctx_;
  ModelConfig config_;
  GenerationOptions options_;
  int64_t streams_;
  PrimeFrames prime_;
  int32_t start_code_;
  CachedDecoder decoder_;
  Arena arena_;
  Graph graph_;
  ConstIndexTensor seeds_;
  // A step's codes are of the newest frame in the first codebook, and in each further one of the
  // frame codebook_delay before.
  IndexTensor codes_;    // [B, N], of the step before the next
  IndexTensor history_;  // [capacity, B, N], of step i at i mod capacity
  // On the host: the history; codes_; steps some of whose codes are not fetched yet; frames.
  std::vector<int32_t> newest_, frame_, kept_, fetched_;
  ConstTensor logits_;
  int64_t drawn_ = 0, pending_ = 0;
};

class WindowGenerator : public FrameGenerator {
 public:
  WindowGenerator(const ModelConfig& config, const ParameterTable& table, Tensor weights,
                  const GenerationOptions& options, ConstIndexTensor prime, const Context& ctx)
      : ctx_(ctx),
        config_(config),
        options_(options),
        streams_(streams_of(options)),
        model_(config, {streams_, config.lookback, 0, false}, ctx),
        arena_(ctx),
        device_window_(arena_.index("window", {streams_, config.lookback, config.num_codebooks})),
        device_conditions_(
            arena_.tensor("conditions", {streams_ * config.lookback, config.cond_size()})),
        seeds_(place_seeds(ctx, arena_, options.seeds)),
        device_drawn_(arena_.index("drawn", {streams_, config.num_codebooks})),
        drawn_(static_cast<size_t>(streams_ * config.num_codebooks)),
        frame_(options.first_frame) {
    DSF_CHECK(weights.size() == table.size() && table.size() == model_.table().size(),
              "{} weights for a model of {}", weights.size(), model_.table().size());
    upload(ctx_, model_.weights(), static_cast<const float*>(weights.data));
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

  void draw(const float* cond) override {
    const int64_t n = config_.num_codebooks, c = config_.cond_size(), ti = config_.lookback;
    if (conditions_.empty()) replace_conditioning(cond);
    PassOptions pass;
    pass.last_logits_only = true;
    upload(ctx_, device_window_, window_.data());
    const Batch batch{device_window_, place_conditions()};
    logits_ = model_.forward(ctx_, batch, pass).reshaped({streams_ * n, config_.vocab_size});
    sample_top_n(ctx_, device_drawn_.reshaped({streams_ * n}), logits_, options_.sampling,
                 {seeds_, purpose_sampling, frame_});
    copy_to_host(ctx_, drawn_.data(), device_drawn_.data, drawn_.size() * sizeof(int32_t));
    check_drawn(drawn_);
    ++frame_;  // of a frame that failed nothing is kept
    const IndexTensor codes{drawn_.data(), {streams_, n}};
    for (int64_t b = 0; b < streams_; ++b) {
      shift_in(window_.data() + b * ti * n, ti * n, codes.row(b), n);
      shift_in(conditions_.data() + b * ti * c, ti * c, cond, c);
    }
  }
  ConstIndexTensor fetch() override {
    return {drawn_.data(), {1, streams_, config_.num_codebooks}};
  }
  bool replace_conditioning(const float* cond) override {
    conditions_.clear();
    for (int64_t i = 0; i < streams_ * config_.lookback; ++i) {
      conditions_.insert(conditions_.end(), cond, cond + config_.cond_size());
    }
    return true;
  }
  ConstTensor logits() const override { return logits_; }

 private:
  /// One for each stream where all of its frames have the same, so that what depends on it is
  /// computed once.
  ConstTensor place_conditions() const {
    const int64_t c = config_.cond_size(), ti = config_.lookback;
    const auto all = conditions_.begin();
    // Streams have the same conditions: those of the first tell.
    const bool constant = std::equal(all, all + (ti - 1) * c, all + c);
    const Tensor conditions =
        constant ? view(device_conditions_, {streams_, c}) : device_conditions_;
    upload(ctx_, conditions, conditions_.data());
    return conditions;
  }
  /// Drops the first `width` of `size` values and puts `added` behind the others.
  template <class T>
  static void shift_in(T* values, int64_t size, const T* added, int64_t width) {
    std::copy(values + width, values + size, values);
    std::copy_n(added, width, values + size - width);
  }

  Context ctx_;
  ModelConfig config_;
  GenerationOptions options_;
  int64_t streams_;
  Transformer model_;
  Arena arena_;
  IndexTensor device_window_;
  Tensor device_conditions_;
  ConstIndexTensor seeds_;
  IndexTensor device_drawn_;
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
                                                      ConstIndexTensor prime, const Context& ctx) {
  return std::make_unique<CachedGenerator>(config, table, weights, options, prime, ctx);
}

std::unique_ptr<FrameGenerator> make_window_generator(const ModelConfig& config,
                                                      const ParameterTable& table, Tensor weights,
                                                      const GenerationOptions& options,
                                                      ConstIndexTensor prime, const Context& ctx) {
  DSF_CHECK(options.weights == WeightFormat::fp32, "a window with weights in {}",
            name_of(options.weights));
  return std::make_unique<WindowGenerator>(config, table, weights, options, prime, ctx);
}

std::unique_ptr<FrameGenerator> make_generator(const ModelConfig& config,
                                               const ParameterTable& table, Tensor weights,
                                               const GenerationOptions& options,
                                               ConstIndexTensor prime, const Context& ctx) {
  if (config.model_class == ModelClass::streaming) {
    return make_cached_generator(config, table, weights, options, prime, ctx);
  }
  return make_window_generator(config, table, weights, options, prime, ctx);
}

}  // namespace dsf
