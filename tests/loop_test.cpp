// Seamless loops: where their frames come from, and that neither joint can be seen in the sound.
#include "engine/generation/loop.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kernels/common/checks.h"
#include "kernels/common/random.h"
#include "tests/spectral_flux.h"
#include "tests/worst.h"

namespace dsf {
namespace {

TEST(LoopPlanTest, DrawsEnoughForEverySeam) {
  for (const int64_t length : {43, 100, 860, 100'000}) {
    const LoopPlan plan = plan_loop(length, 86, 86, 11, 10);
    EXPECT_EQ(plan.length, length);
    EXPECT_EQ(plan.run_up, 86);
    EXPECT_GE(plan.fade, 10);
    EXPECT_LE(plan.fade, length / 4);
    EXPECT_GE(plan.choices, 1);
    const int64_t last_heard = plan.run_up + plan.choices - 1 + length + plan.fade - 1;
    EXPECT_EQ(plan.drawn, last_heard + 1 + 10) << "the codec needs 10 frames behind it";
  }
  EXPECT_EQ(plan_loop(860, 86, 3, 11, 10).run_up, 11)
      << "the codec needs 11 frames before the first";
  EXPECT_THROW(plan_loop(42, 86, 86, 11, 10), UsageError);
  EXPECT_THROW(plan_loop(0, 86, 86, 11, 10), UsageError);
}

Conditioning trajectory(std::string_view name, int64_t frames) {
  return make_morph(name, frames, {"a", "b", "c"}, {"p"}, 0, {});
}

TEST(MakePeriodic, LeavesWhatEndsWhereItBegins) {
  for (const std::string_view name : {"constant", "sweep", "middle", "classes"}) {
    Conditioning conditioning = trajectory(name, 400);
    const std::vector<float> before = conditioning.values;
    EXPECT_EQ(make_periodic(conditioning, 86), 0) << name;
    EXPECT_EQ(conditioning.values, before) << name;
  }
}

TEST(MakePeriodic, BlendsTheEndOfOthers) {
  Conditioning ramp = interpolate({{0, {0, 5}}, {1, {1, 5}}}, 400);
  const std::vector<float> before = ramp.values;
  EXPECT_EQ(make_periodic(ramp, 86), 86);
  for (int64_t t = 0; t < 400 - 86; ++t) {
    ASSERT_EQ(ramp.frame(t)[0], before[static_cast<size_t>(2 * t)]) << t;
  }
  double largest = 0;
  for (int64_t t = 0; t < 400; ++t) {
    const float step = ramp.frame((t + 1) % 400)[0] - ramp.frame(t)[0];
    largest = testing::worse(largest, std::abs(step));
    EXPECT_EQ(ramp.frame(t)[1], 5.0F);
  }
  EXPECT_LT(largest, 2.0F / 86) << "the jump of 1 became a slope of about a second";
  // A short one gives up a quarter at most.
  Conditioning brief = interpolate({{0, {0}}, {1, {1}}}, 40);
  EXPECT_EQ(make_periodic(brief, 86), 10);
  EXPECT_LT(brief.frame(39)[0] - brief.frame(0)[0], 1.0F / 10) << "the jump of 1 is gone";
}

TEST(Repeat, GoesRound) {
  const Conditioning three = interpolate({{0, {0}}, {1, {3}}}, 3);
  EXPECT_EQ(repeat(three, 7).values, (std::vector<float>{0, 1, 2, 0, 1, 2, 0}));
}

LoopPlan small_plan() {
  return {50, 8, 12, 30, 12 + 30 - 1 + 50 + 8 + 10};
}

/// Codes that never agree by chance with those 50 frames later.
DacFile distinct_codes(const LoopPlan& plan) {
  DacFile file;
  file.channels = 1;
  file.n_codebooks = 3;
  file.frames = plan.drawn;
  for (int64_t i = 0; i < 3 * plan.drawn; ++i) file.codes.push_back(static_cast<uint16_t>(i));
  file.metadata.original_length = plan.drawn * 512;
  file.metadata.chunk_length = plan.drawn;
  file.metadata.channels = 1;
  return file;
}

void agree(DacFile& file, const LoopPlan& plan, int64_t codebook, int64_t frame) {
  uint16_t* codes = file.codes.data() + codebook * file.frames;
  codes[frame + plan.length] = codes[frame];
}

TEST(FindSeam, TakesThePlaceOfMostAgreement) {
  const LoopPlan plan = small_plan();
  DacFile file = distinct_codes(plan);
  EXPECT_EQ(find_seam(file, plan).begin, plan.run_up) << "no agreement: the earliest";
  EXPECT_EQ(find_seam(file, plan).agreeing, 0);
  for (int64_t frame = 30; frame < 38; ++frame) {
    agree(file, plan, 0, frame);
    if (frame != 33) agree(file, plan, 1, frame);
  }
  const LoopSeam seam = find_seam(file, plan);
  EXPECT_EQ(seam.begin, 30);
  EXPECT_EQ(seam.agreeing, 8 + 7);
}

TEST(FindSeam, FineCodebooksCountOnlyBehindCoarseOnes) {
  const LoopPlan plan = small_plan();
  DacFile file = distinct_codes(plan);
  for (int64_t frame = 14; frame < 22; ++frame) {  // 16 codes, none of the first codebook
    agree(file, plan, 1, frame);
    agree(file, plan, 2, frame);
  }
  agree(file, plan, 0, 40);
  const LoopSeam seam = find_seam(file, plan);
  EXPECT_EQ(seam.agreeing, 1);
  EXPECT_EQ(seam.begin, 40 - plan.fade + 1) << "the earliest place whose fade holds frame 40";
}

TEST(LoopCodes, AreTheDrawnOnesAtTheirMomentOfThePeriod) {
  const LoopPlan plan = small_plan();
  const DacFile file = distinct_codes(plan);
  const LoopSeam seam{37, 0};  // the seam of 8 frames lies at 37 … 44 of the loop's 50
  const DacFile loop = loop_codes(file, 512, plan, seam);
  EXPECT_EQ(loop.frames, 50);
  EXPECT_EQ(loop.metadata.original_length, 50 * 512);
  EXPECT_EQ(loop.metadata.chunk_length, 50);
  for (int64_t t = 0; t < 50; ++t) {
    const int64_t from = t < 41 ? t + 50 : t;  // the first take from the middle of the fade on
    for (int64_t n = 0; n < 3; ++n) {
      ASSERT_EQ(loop.codes[static_cast<size_t>(n * 50 + t)],
                file.codes[static_cast<size_t>(n * file.frames + from)])
          << "frame " << t << ", codebook " << n;
    }
  }
}

TEST(LoopAudio, IsTheDrawnSoundExceptWithinTheFade) {
  constexpr int64_t kHop = 4;
  const LoopPlan plan = small_plan();
  const LoopSeam seam{37, 0};
  std::vector<float> drawn;
  for (int64_t i = 0; i < plan.drawn * kHop; ++i) drawn.push_back(static_cast<float>(i));
  const std::vector<float> loop = loop_audio(drawn, kHop, plan, seam);
  ASSERT_EQ(loop.size(), 50U * kHop);
  double products = 0, power_first = 0, power_later = 0;
  for (size_t i = 37 * kHop; i < 45 * kHop; ++i) {
    const double first = drawn[i], later = drawn[i + 50 * kHop];
    products += first * later;
    power_first += first * first;
    power_later += later * later;
  }
  const double correlation = products / std::sqrt(power_first * power_later);
  for (int64_t i = 0; i < 50 * kHop; ++i) {
    const int64_t in_fade = i - 37 * kHop;
    const float first = drawn[static_cast<size_t>(i)];
    const float later = drawn[static_cast<size_t>(i + 50 * kHop)];
    if (in_fade < 0) {
      ASSERT_EQ(loop[static_cast<size_t>(i)], later) << i;
    } else if (in_fade >= 8 * kHop) {
      ASSERT_EQ(loop[static_cast<size_t>(i)], first) << i;
    } else {
      const double angle = std::numbers::pi / 2 * (static_cast<double>(in_fade) + 0.5) / 32;
      const double sine = std::sin(angle), cosine = std::cos(angle);
      const double level = std::sqrt(1 + 2 * correlation * sine * cosine);
      ASSERT_NEAR(loop[static_cast<size_t>(i)], (first * sine + later * cosine) / level, 1e-4) << i;
    }
  }
  EXPECT_EQ(loop.front(), loop.back() + 1) << "end and beginning are consecutive samples";
}

TEST(LoopAudio, ASeamBeyondThePeriodComesRound) {
  LoopPlan plan = small_plan();
  plan.run_up = 40;
  plan.choices = 60;
  plan.drawn = 300;
  std::vector<float> drawn(300);
  for (size_t i = 0; i < 300; ++i) drawn[i] = static_cast<float>(i);
  const std::vector<float> loop = loop_audio(drawn, 1, plan, {98, 0});
  EXPECT_EQ(loop[47], 147.0F) << "the end of what begins at 98";
  EXPECT_EQ(loop[6], 106.0F) << "behind the fade, round the corner";
  EXPECT_THROW(loop_audio(drawn, 1, plan, {39, 0}), Error);
  EXPECT_THROW(loop_audio(std::span(drawn).first(140), 1, plan, {98, 0}), Error);
}

/// The mean power of a part in dB, `ratio` of the way through the fade, a tenth of it long.
double level_within(const std::vector<float>& loop, int64_t begin, int64_t fade, double ratio) {
  double power = 0;
  const int64_t first = begin + static_cast<int64_t>(ratio * static_cast<double>(fade));
  for (int64_t i = first; i < first + fade / 10; ++i) {
    power += static_cast<double>(loop[static_cast<size_t>(i)]) * loop[static_cast<size_t>(i)];
  }
  return 10 * std::log10(power / static_cast<double>(fade / 10));
}

// Takes that have the part `shared` of their power in common: of any, the fade keeps the level.
TEST(LoopAudio, KeepsTheLevelHoweverMuchTheTakesAgree) {
  constexpr int64_t kHop = 2048;  // so many samples that power fluctuates by little
  const LoopPlan plan = small_plan();
  const int64_t length = plan.length * kHop, begin = 20 * kHop, fade = plan.fade * kHop;
  const auto noise = [](uint64_t stream, int64_t i) {
    return 2 * to_unit(random_words({stream, 8, 8}, static_cast<uint64_t>(i))[0]) - 1;
  };
  for (const float shared : {0.0F, 0.3F, 0.8F, 1.0F, -0.4F}) {
    std::vector<float> drawn(static_cast<size_t>(plan.drawn * kHop));
    for (int64_t i = 0; i < plan.drawn * kHop; ++i) {
      const float common = std::sqrt(std::abs(shared)), own = std::sqrt(1 - std::abs(shared));
      const float sign = shared < 0 && i >= length ? -1.0F : 1.0F;
      drawn[static_cast<size_t>(i)] = sign * common * noise(1, i % length) + own * noise(2, i);
    }
    const std::vector<float> loop = loop_audio(drawn, kHop, plan, {20, 0});
    for (const double ratio : {0.0, 0.25, 0.45, 0.7, 0.9}) {
      // Of 1638 independent samples the power has a relative deviation of √(0.8 / 1638) = 2.2 %,
      // and the correlation of 16,384 one of 0.8 %: 4 deviations are 0.4 dB. A swelling is up to 3
      // dB.
      EXPECT_NEAR(level_within(loop, begin, fade, ratio), 10 * std::log10(1.0 / 3), 0.4)
          << shared << " shared, at " << ratio;
    }
    if (shared < 1) continue;
    for (int64_t i = begin; i < begin + fade; ++i) {
      ASSERT_EQ(loop[static_cast<size_t>(i)], drawn[static_cast<size_t>(i)]) << "equal takes";
    }
  }
}

// One take silent, or both: nothing is divided by zero.
TEST(LoopAudio, SilenceStaysSilence) {
  const LoopPlan plan = small_plan();
  const std::vector<float> silence(static_cast<size_t>(plan.drawn * 4));
  for (const float sample : loop_audio(silence, 4, plan, {20, 0})) ASSERT_EQ(sample, 0);
}

/// Hum whose partials drift in pitch and level: smooth, and never twice the same.
std::vector<float> hum(size_t samples) {
  std::vector<float> sound(samples);
  for (int partial = 1; partial <= 6; ++partial) {
    double phase = partial;
    for (size_t i = 0; i < samples; ++i) {
      const double t = static_cast<double>(i) / 44'100;
      phase +=
          2 * std::numbers::pi * 170 * partial * (1 + 0.03 * std::sin(0.9 * t + partial)) / 44'100;
      const double level = 0.1 * (1 + 0.5 * std::sin(2.3 * t * partial));
      sound[i] += static_cast<float>(level * std::sin(phase));
    }
  }
  return sound;
}

/// A texture: noise, low-passed, its level moving slowly.
std::vector<float> rustle(size_t samples) {
  std::vector<float> sound(samples);
  float low = 0;
  for (size_t i = 0; i < samples; ++i) {
    const float noise = 2 * to_unit(random_words({8, 8, 8}, i)[0]) - 1;
    low += 0.1F * (noise - low);
    const double level = 1 + 0.3 * std::sin(1.7 * static_cast<double>(i) / 44'100);
    sound[i] = static_cast<float>(level) * low;
  }
  return sound;
}

constexpr int64_t kFluxHop = 512;
constexpr int64_t kFluxSeam = 200;

testing::LoopFlux cross_faded_flux(std::vector<float> (*sound)(size_t)) {
  const LoopPlan plan = plan_loop(430, 86, 86, 11, 10);
  const std::vector<float> drawn = sound(static_cast<size_t>(plan.drawn * kFluxHop));
  const std::vector<float> loop = loop_audio(drawn, kFluxHop, plan, {kFluxSeam, 0});
  return testing::loop_flux(loop, 44'100, kFluxSeam % 430 * kFluxHop, plan.fade * kFluxHop);
}

TEST(LoopAudio, NeitherJointShowsInTheSpectralFluxOfATexture) {
  const testing::LoopFlux flux = cross_faded_flux(rustle);
  flux.print("texture, cross-faded");
  EXPECT_LE(flux.wrap, flux.percentile95);
  EXPECT_LE(flux.seam, flux.percentile95);
}

// Two takes of a pure tone beat while they are cross-faded, whatever the fade's law: the seam of a
// hum is a change of level. The wrap is continuous all the same.
TEST(LoopAudio, TheSeamOfAHumIsSoftWhereACutIsNot) {
  const testing::LoopFlux flux = cross_faded_flux(hum);
  flux.print("hum, cross-faded");
  EXPECT_LE(flux.wrap, flux.percentile95);

  const std::vector<float> drawn = hum(static_cast<size_t>(630 * kFluxHop));
  const std::vector<float> cut(drawn.begin() + kFluxSeam * kFluxHop, drawn.end());
  const testing::LoopFlux control = testing::loop_flux(cut, 44'100, 0, 1);
  control.print("hum, cut");
  EXPECT_GT(control.wrap, control.percentile95) << "the measure sees a joint that is only cut";
  EXPECT_LT(flux.seam, control.seam / 2);
}

}  // namespace
}  // namespace dsf
