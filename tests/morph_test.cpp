// Conditioning trajectories: rounding to frames, jumps, and the ready-made morphs.
#include "engine/generation/morph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

const std::vector<std::string> kClasses = {"pistons", "wind", "applause"};
const std::vector<std::string> kParameters = {"rate", "size"};

Conditioning make(std::string_view name, int64_t frames, int64_t class_index = 1,
                  const std::map<std::string, float>& parameters = {}) {
  return make_morph(name, frames, kClasses, kParameters, class_index, parameters);
}

std::vector<float> component(const Conditioning& conditioning, int64_t index) {
  std::vector<float> values;
  for (int64_t s = 0; s < conditioning.frames; ++s) {
    values.push_back(conditioning.frame(s)[index]);
  }
  return values;
}

std::vector<float> frame_of(const Conditioning& conditioning, int64_t index) {
  return {conditioning.frame(index), conditioning.frame(index) + conditioning.size};
}

template <class Call>
std::string usage_error(Call call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UsageError";
  return "";
}

TEST(Interpolate, RunsLinearlyBetweenBreakpoints) {
  const Conditioning result = interpolate({{0, {0, 4}}, {.5, {2, 4}}, {1, {2, 0}}}, 8);
  EXPECT_EQ(result.frames, 8);
  EXPECT_EQ(result.size, 2);
  EXPECT_EQ(component(result, 0), (std::vector<float>{0, .5F, 1, 1.5F, 2, 2, 2, 2}));
  EXPECT_EQ(component(result, 1), (std::vector<float>{4, 4, 4, 4, 4, 3, 2, 1}));
}

TEST(Interpolate, TwoBreakpointsAtOneTimeAreAJump) {
  const Conditioning result = interpolate({{0, {1}}, {.25, {1}}, {.25, {7}}, {1, {7}}}, 4);
  EXPECT_EQ(component(result, 0), (std::vector<float>{1, 7, 7, 7}));
}

TEST(Interpolate, RoundsTimesToFramesWithHalvesToEven) {
  // 0.1·45 = 4.5 goes to 4, 0.9·45 = 40.5 to 40, 0.5·3 = 1.5 to 2.
  const std::vector<Breakpoint> step = {{0, {0}},  {.1, {0}}, {.1, {1}},
                                        {.9, {1}}, {.9, {2}}, {1, {2}}};
  const std::vector<float> values = component(interpolate(step, 45), 0);
  for (size_t s = 0; s < values.size(); ++s) EXPECT_EQ(values[s], s < 4 ? 0 : s < 40 ? 1 : 2);
  EXPECT_EQ(component(interpolate({{0, {0}}, {.5, {0}}, {.5, {1}}, {1, {1}}}, 3), 0),
            (std::vector<float>{0, 0, 1}));
}

TEST(Interpolate, TakesAnyNumberOfFrames) {
  EXPECT_TRUE(interpolate({{0, {1}}, {1, {2}}}, 0).values.empty());
  // All three at frame 0, so the second is reached at once.
  EXPECT_EQ(interpolate({{0, {1}}, {.5, {2}}, {1, {3}}}, 1).values, std::vector<float>{2});
}

TEST(Interpolate, HoldsBeforeTheFirstAndAfterTheLastAndCutsBeyondTheEnd) {
  EXPECT_EQ(interpolate({{.25, {1}}, {.75, {3}}}, 8).values,
            (std::vector<float>{1, 1, 1, 1.5F, 2, 2.5F, 3, 3}));
  EXPECT_EQ(interpolate({{.5, {7}}}, 3).values, (std::vector<float>{7, 7, 7}));
  // In other units: two frames each. The second breakpoint stands at frame 8 of 5.
  EXPECT_EQ(interpolate({{0, {0}}, {4, {8}}}, 5, 2).values, (std::vector<float>{0, 1, 2, 3, 4}));
  EXPECT_EQ(interpolate({{3, {1}}, {4, {2}}}, 4, 2).values, std::vector<float>(4, 1.F));
}

TEST(Interpolate, HoldsUntilTheNextBreakpointWhereAsked) {
  const std::vector<Breakpoint> steps = {
      {0, {1}, Interpolation::hold}, {.5, {2}, Interpolation::linear}, {1, {4}}};
  EXPECT_EQ(interpolate(steps, 8).values, (std::vector<float>{1, 1, 1, 1, 2, 2.5F, 3, 3.5F}));
}

TEST(Interpolate, RefusesUnusableBreakpoints) {
  EXPECT_THROW(interpolate({}, 4), Error);
  EXPECT_THROW(interpolate({{0, {1}}, {1e300, {1}}}, 4), Error);
  EXPECT_THROW(interpolate({{std::nan(""), {1}}}, 4), Error);
  EXPECT_THROW(interpolate({{0, {1}}, {.6, {1}}, {.5, {1}}, {1, {1}}}, 4), Error);
  EXPECT_THROW(interpolate({{0, {1}}, {1, {1, 2}}}, 4), Error);
}

TEST(Morph, ConstantHoldsClassAndParameters) {
  const Conditioning result = make("constant", 1000, 2, {{"size", .1F}});
  for (int64_t s = 0; s < 1000; ++s) {
    ASSERT_EQ(frame_of(result, s), (std::vector<float>{0, 0, 1, .5F, .1F}));
  }
}

TEST(Morph, SweepMovesTheParametersThatAreNotGiven) {
  const Conditioning result = make("sweep", 100, 1, {{"size", .25F}});
  EXPECT_EQ(component(result, 0), std::vector<float>(100, 0.F));
  EXPECT_EQ(component(result, 1), std::vector<float>(100, 1.F));
  EXPECT_EQ(component(result, 4), std::vector<float>(100, .25F));
  const std::vector<float> rate = component(result, 3);
  for (int s = 0; s < 100; ++s) {
    const float expected = s < 10   ? 0.F
                           : s < 40 ? static_cast<float>(s - 10) / 30.F
                           : s < 60 ? 1.F
                           : s < 90 ? static_cast<float>(90 - s) / 30.F
                                    : 0.F;
    EXPECT_NEAR(rate[static_cast<size_t>(s)], expected, 1e-7F) << s;  // one rounding of 1 − t
  }
}

TEST(Morph, ClassesGivesEveryClassItsTurn) {
  const Conditioning result = make("classes", 10);
  // Turns begin at frames 0, round(10/3) = 3 and round(20/3) = 7.
  EXPECT_EQ(component(result, 0), (std::vector<float>{1, 1, 1, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(component(result, 1), (std::vector<float>{0, 0, 0, 1, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(component(result, 2), (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(component(result, 3), std::vector<float>(10, .5F));
}

TEST(Morph, TourSweepsTheParametersInEveryClass) {
  const Conditioning result = make("tour", 60, 0, {{"size", .25F}});
  const std::vector<float> rate = component(result, 3);
  EXPECT_EQ(component(result, 4), std::vector<float>(60, .25F));
  for (int s = 0; s < 60; ++s) {
    const std::vector<float> frame = frame_of(result, s);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(frame[static_cast<size_t>(i)], s / 20 == i ? 1 : 0) << s;
    const float within = static_cast<float>(s % 20) / 20;
    EXPECT_NEAR(rate[static_cast<size_t>(s)], std::clamp((within - .1F) / .7F, 0.F, 1.F), 1e-6F)
        << s;
  }
  EXPECT_EQ(make_morph("tour", 4, {"x", "y"}, {}, 0, {}).values,
            (std::vector<float>{1, 0, 1, 0, 0, 1, 0, 1}));
  EXPECT_THROW(make_morph("tour", 1, {}, {"a"}, 0, {}), UsageError);
}

TEST(Morph, OverlapJoinsTheNextClass) {
  const Conditioning result = make("overlap", 20, 2);  // the next class of the last is the first
  EXPECT_EQ(component(result, 1), std::vector<float>(20, 0.F));
  const std::vector<float> leaving = component(result, 2), joining = component(result, 0);
  EXPECT_EQ(joining, (std::vector<float>{0, 0, 0, 0, 0, .25F, .5F, .75F, 1, 1,
                                         1, 1, 1, 1, 1, 1,    1,   1,    1, 1}));
  EXPECT_EQ(leaving, (std::vector<float>{1, 1, 1, 1,    1,   1,    1, 1, 1, 1,
                                         1, 1, 1, .75F, .5F, .25F, 0, 0, 0, 0}));
}

TEST(Morph, MiddleIsOneHalfThroughout) {
  EXPECT_EQ(make("middle", 3).values, std::vector<float>(15, .5F));
}

TEST(Morph, ModelsWithoutClassesOrParameters) {
  EXPECT_EQ(make_morph("constant", 2, {}, {"a"}, 0, {{"a", 3.F}}).values,
            (std::vector<float>{3, 3}));
  EXPECT_EQ(make_morph("constant", 1, {"x", "y"}, {}, 1, {}).values, (std::vector<float>{0, 1}));
  EXPECT_THROW(make_morph("sweep", 1, {"x"}, {}, 0, {}), UsageError);
  EXPECT_THROW(make_morph("sweep", 1, {"x"}, {"size"}, 0, {{"size", .25F}}), UsageError);
  EXPECT_THROW(make_morph("overlap", 1, {"x"}, {}, 0, {}), UsageError);
  EXPECT_THROW(make_morph("classes", 1, {}, {"a"}, 0, {}), UsageError);
}

TEST(Morph, MistakesListWhatIsKnown) {
  EXPECT_EQ(usage_error([] { make("glide", 1); }),
            "the morph 'glide' is not known; known: constant, sweep, classes, tour, overlap, "
            "middle");
  EXPECT_EQ(usage_error([] {
              make("middle", 1, 0, {{"speed", 1.F}});
            }),
            "the model has no parameter 'speed'; known: rate, size");
  EXPECT_EQ(usage_error([] { find_class(kClasses, "bees"); }),
            "the model has no class 'bees'; known: pistons, wind, applause");
  EXPECT_EQ(find_class(kClasses, "applause"), 2);
  EXPECT_THROW(make("constant", 1, 3), UsageError);
  EXPECT_THROW(make("constant", 1, -1), UsageError);
  EXPECT_THROW(make("constant", 1, 0, {{"rate", std::numeric_limits<float>::quiet_NaN()}}),
               UsageError);
}

TEST(Morph, EveryNameCanBeMade) {
  for (const std::string_view name : morph_names()) EXPECT_EQ(make(name, 17).frames, 17) << name;
}

}  // namespace
}  // namespace dsf
