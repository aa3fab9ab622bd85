// Frame generators: batches against single streams, and what comes before the first frame.
#include "engine/generation/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"
#include "tests/model_classes.h"
#include "tests/small_model.h"
#include "tests/worst.h"

namespace dsf {
namespace {

ModelConfig config_of(ModelClass model_class) {
  ModelConfig config = testing::small_model(model_class);
  config.lookback = 9;
  config.max_length = 40;
  config.vocab_size = 61;
  return config;
}

struct Model {
  explicit Model(ModelClass model_class)
      : config(config_of(model_class)), table(config), weights(static_cast<size_t>(table.size())) {
    table.initialise(flat(), 3);
  }
  Tensor flat() { return {weights.data(), {table.size()}}; }

  ModelConfig config;
  ParameterTable table;
  std::vector<float> weights;
};

/// What a generator drew: codes [T, B, N] and the logits [T, B·N, V] they were drawn from.
struct Drawn {
  std::vector<int32_t> codes;
  std::vector<float> logits;
};

GenerationOptions options_of(std::vector<uint64_t> seeds, int64_t top_n, int64_t first_frame = 0) {
  GenerationOptions options;
  options.sampling.top_n = top_n;
  options.seeds = std::move(seeds);
  options.first_frame = first_frame;
  return options;
}

Drawn draw(Model& model, const GenerationOptions& options, int64_t frames,
           ConstIndexTensor prime = {}) {
  const auto generator = make_generator(model.config, model.table, model.flat(), options, prime);
  const std::vector<float> cond{1, 0, .3F};
  Drawn drawn;
  for (int64_t t = 0; t < frames; ++t) {
    const ConstIndexTensor codes = generator->next(cond.data());
    drawn.codes.insert(drawn.codes.end(), codes.data, codes.data + codes.size());
    const ConstTensor logits = generator->logits();
    drawn.logits.insert(drawn.logits.end(), logits.data, logits.data + logits.size());
  }
  return drawn;
}

class Generators : public ::testing::TestWithParam<ModelClass> {};

/// How near the draw of a code came to being another's: the distance of u from the borders of the
/// code's share among all V, in units of the whole.
double margin(const float* logits, int64_t vocabulary, int32_t code, float u) {
  std::vector<int32_t> order(static_cast<size_t>(vocabulary));
  for (int32_t v = 0; v < vocabulary; ++v) order[static_cast<size_t>(v)] = v;
  std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  double total = 0, below = 0;
  for (const int32_t v : order) total += std::exp(static_cast<double>(logits[v]));
  for (const int32_t v : order) {
    const double share = std::exp(static_cast<double>(logits[v]));
    if (v == code) {
      return std::min(std::abs(u - below / total), std::abs((below + share) / total - u));
    }
    below += share;
  }
  return 1;
}

TEST_P(Generators, EachStreamOfABatchIsTheSingleRunOfItsSeed) {
  // Products of more than a few rows may round differently, in the seventh digit; a draw that falls
  // as near to the border of two codes may then give the other one, and the stream goes its own way
  // from there. Such a draw is recognised by its margin, any other difference is a fault.
  constexpr int64_t kFrames = 60, kStreams = 20;
  constexpr double kRounding = 1e-4;
  Model model(GetParam());
  const int64_t n = model.config.num_codebooks, v = model.config.vocab_size;
  std::vector<uint64_t> seeds;
  for (int64_t b = 0; b < kStreams; ++b) seeds.push_back(static_cast<uint64_t>(500 + b));
  const Drawn batch = draw(model, options_of(seeds, v), kFrames);
  double worst = 0;
  int64_t identical = 0;
  for (int64_t b = 0; b < kStreams; ++b) {
    const uint64_t seed = seeds[static_cast<size_t>(b)];
    const Drawn single = draw(model, options_of({seed}, v), kFrames);
    bool same = true;
    for (int64_t t = 0; t < kFrames && same; ++t) {
      for (int64_t i = 0; i < n * v; ++i) {
        const float difference = single.logits[static_cast<size_t>(t * n * v + i)] -
                                 batch.logits[static_cast<size_t>((t * kStreams + b) * n * v + i)];
        worst = testing::worse(worst, std::abs(difference));
      }
      for (int64_t k = 0; k < n; ++k) {
        const int32_t one = single.codes[static_cast<size_t>(t * n + k)];
        if (one == batch.codes[static_cast<size_t>((t * kStreams + b) * n + k)]) continue;
        same = false;
        const RandomStream stream{seed, purpose_sampling, static_cast<uint32_t>(t)};
        const float u = to_unit(random_words(stream, static_cast<uint64_t>(k))[0]);
        EXPECT_LT(margin(single.logits.data() + (t * n + k) * v, v, one, u), kRounding)
            << "stream " << b << ", frame " << t << ", codebook " << k;
      }
    }
    identical += same ? 1 : 0;
  }
  std::printf("    %ld of %ld streams equal to the last code; logits differ by %.1e at most\n",
              identical, kStreams, worst);
  EXPECT_LE(worst, 2e-5);
  EXPECT_GE(identical, kStreams - 1);
}

TEST_P(Generators, StreamsOfDifferentSeedsDiffer) {
  Model model(GetParam());
  const Drawn drawn = draw(model, options_of({7, 8}, 61), 30);
  int64_t equal = 0;
  for (int64_t t = 0; t < 30; ++t) {
    for (int64_t k = 0; k < 4; ++k) {
      const size_t at = static_cast<size_t>(t * 8 + k);
      if (drawn.codes[at] == drawn.codes[at + 4]) ++equal;
    }
  }
  EXPECT_LT(equal, 30);  // of 120; by chance some 2 to 5
}

TEST_P(Generators, GoingOnFromItsOwnOutputIsTheUninterruptedRun) {
  constexpr int64_t kFrames = 40;
  Model model(GetParam());
  const int64_t n = model.config.num_codebooks;
  for (const int64_t top_n : {int64_t{1}, model.config.vocab_size}) {  // greedy, and sampled
    const Drawn whole = draw(model, options_of({11}, top_n), 2 * kFrames);
    const std::vector<int32_t> first(whole.codes.begin(), whole.codes.begin() + kFrames * n);
    const ConstIndexTensor prime{first.data(), {kFrames, n}};
    const Drawn second = draw(model, options_of({11}, top_n, kFrames), kFrames, prime);
    EXPECT_TRUE(
        std::equal(second.codes.begin(), second.codes.end(), whole.codes.begin() + kFrames * n))
        << "top " << top_n;
    // The numbers drawn matter: without their continuation a sampled run goes another way.
    const Drawn other = draw(model, options_of({11}, top_n, 0), kFrames, prime);
    EXPECT_EQ(other.codes == second.codes, top_n == 1);
  }
}

TEST_P(Generators, EveryStreamHasItsOwnPrime) {
  Model model(GetParam());
  const int64_t n = model.config.num_codebooks, ti = model.config.lookback;
  const std::vector<int32_t> both = random_prime(model.config, {21, 22});
  ASSERT_EQ(both.size(), static_cast<size_t>(2 * ti * n));
  const Drawn drawn = draw(model, options_of({5, 5}, 1), 10, {both.data(), {2, ti, n}});
  for (int64_t b = 0; b < 2; ++b) {
    const Drawn alone = draw(model, options_of({5}, 1), 10, {both.data() + b * ti * n, {ti, n}});
    for (int64_t t = 0; t < 10; ++t) {
      for (int64_t k = 0; k < n; ++k) {
        ASSERT_EQ(drawn.codes[static_cast<size_t>((t * 2 + b) * n + k)],
                  alone.codes[static_cast<size_t>(t * n + k)])
            << "stream " << b << ", frame " << t;
      }
    }
  }
}

TEST_P(Generators, RefusePrimesOfAnotherShape) {
  Model model(GetParam());
  const std::vector<int32_t> codes(4 * 9 * 3, 1);
  EXPECT_THROW(draw(model, options_of({1}, 1), 1, {codes.data(), {9, 3}}), Error);
  EXPECT_THROW(draw(model, options_of({1}, 1), 1, {codes.data(), {2, 9, 4}}), Error);
  EXPECT_THROW(draw(model, options_of({}, 1), 1), Error);
}

INSTANTIATE_TEST_SUITE_P(Classes, Generators, ::testing::ValuesIn(kModelClasses), class_test_name);

}  // namespace
}  // namespace dsf
