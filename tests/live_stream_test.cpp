// A live stream: the sound of files, as it comes; what moves it; what plays it.
#include "engine/live/live_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

#include "engine/audio/loudness.h"
#include "engine/codec/dac_decoding.h"
#include "engine/live/live_gain.h"
#include "tests/expect_error.h"
#include "tests/live_model.h"
#include "tests/worst.h"

namespace dsf {
namespace {

using testing::expect_error;
using testing::live_model;
using testing::LiveSizes;
using testing::rendered;

TEST(LiveRenderer, ChunksAreTheSoundOfAFile) {
  constexpr int64_t kFrames = 60, kHeard = 40;
  for (const int64_t delay : {0, 1}) {
    LiveModel model = live_model({delay});
    Conditioning conditioning{kFrames, 3, {}};
    for (int64_t i = 0; i < kFrames; ++i) {
      conditioning.values.insert(conditioning.values.end(), model.begin.begin(), model.begin.end());
    }
    const std::atomic<bool> never{false};
    GenerationOptions options;
    options.seeds = {model.seed};
    const std::vector<DacFile> files = generate(
        {}, model.model, conditioning, options, {}, model.timing, [](int64_t) {}, never);
    std::vector<float> whole = decode_channel(model.codec, files.front(), 0);
    whole.resize(static_cast<size_t>(kHeard * model.timing.hop));
    for (const int64_t chunk : {1, 2, 7}) {
      LiveRenderer renderer(live_model({delay}), chunk);
      const std::vector<float> sound = rendered(renderer, whole.size());
      double largest = 0;
      for (size_t i = 0; i < whole.size(); ++i) {
        largest = testing::worse(largest, std::abs(sound[i] - std::clamp(whole[i], -.891F, .891F)));
      }
      EXPECT_LE(largest, 1e-5) << "chunks of " << chunk << ", delay " << delay;
      EXPECT_GE(renderer.times().samples, std::ssize(whole));
    }
  }
}

// Upstream's AdaLN has no finite logits far from what it learned: exp of a linear layer.
TEST(LiveRenderer, ValuesThatAModelHasNoSoundForAreNotHeeded) {
  const LiveSizes adaln{0, 0, ModelClass::rope_adaln, 1};
  LiveRenderer moved(live_model(adaln), 2), still(live_model(adaln), 2);
  const std::vector<float> begin = rendered(still, 64);
  EXPECT_EQ(rendered(moved, 64), begin);
  const ControlLine::Value far[] = {{2, 1e6F}}, back[] = {{2, 0.5F}};
  moved.control().set(far, 0);
  const std::vector<float> held = rendered(moved, 64);
  EXPECT_EQ(held, rendered(still, 64)) << "drawn as before";
  const int64_t frames = moved.times().held;
  EXPECT_GE(frames, 3);
  moved.control().set(back, 0);
  EXPECT_EQ(rendered(moved, 64), rendered(still, 64));
  EXPECT_EQ(moved.times().held, frames);
  EXPECT_EQ(still.times().held, 0);
}

TEST(LiveRenderer, GainAndCeiling) {
  LiveRenderer plain(live_model(), 2), quiet(live_model({0, -20}), 2), loud(live_model({0, 60}), 2);
  const size_t samples = 400;
  const std::vector<float> a = rendered(plain, samples), b = rendered(quiet, samples),
                           c = rendered(loud, samples);
  const float ceiling = gain_factor(kLiveCeiling);
  bool reached = false;
  for (size_t i = 0; i < samples; ++i) {
    EXPECT_NEAR(b[i], 0.1F * a[i], 1e-5F) << i;  // where the ceiling cuts neither
    EXPECT_LE(std::abs(c[i]), ceiling);
    reached = reached || std::abs(c[i]) == ceiling;
  }
  EXPECT_TRUE(reached);
  EXPECT_EQ(quiet.times().cut, 0);
  EXPECT_GT(loud.times().cut, 100);
}

TEST(LiveRenderer, AControlChangesTheNextChunk) {
  constexpr int kBefore = 12;
  LiveRenderer steady(live_model(), 2), moved(live_model(), 2);
  for (int i = 0; i < kBefore; ++i) {
    const std::span<const float> a = steady.render(), b = moved.render();
    EXPECT_TRUE(std::ranges::equal(a, b)) << i;
  }
  EXPECT_FALSE(moved.control().take_seen());
  const ControlLine::Value rain[] = {{0, 0}, {1, 1}};
  moved.control().set(rain, 0, LiveControl::Clock::now());
  int changed = -1;
  for (int i = 0; i < 4 && changed < 0; ++i) {
    const std::span<const float> a = steady.render(), b = moved.render();
    if (!std::ranges::equal(a, b)) changed = i;
    EXPECT_EQ(moved.control().take_seen().has_value(), i == 0);
  }
  EXPECT_EQ(changed, 0) << "chunks until a sample changed";
}

TEST(LiveRenderer, ChunksAreBounded) {
  for (const int64_t frames : {int64_t{0}, int64_t{-1}, kMostChunkFrames + 1}) {
    expect_error<UsageError>([&] { LiveRenderer(live_model(), frames); },
                             {fmt::format("chunks of {} frames", frames), "1 to 1024"});
  }
}

TEST(ThreadChoice, IsLeftAloneWhileItKeepsUp) {
  const ThreadLimit limit(2);
  ThreadChoice choice;
  const auto window = [&](double load) {
    for (int i = 0; i < 16; ++i) choice.add(load);
    return choice.threads();
  };
  EXPECT_EQ(choice.threads(), 1);
  EXPECT_EQ(window(0.85), 1);
  EXPECT_EQ(window(1.5), 2) << "too slow: all are tried";
  EXPECT_EQ(window(1.2), 2) << "better than one";
  EXPECT_EQ(window(3), 1) << "worse than one";
}

TEST(ThreadChoice, WhatCannotKeepUpAtTheBeginningIsNotWaitedFor) {
  const ThreadLimit limit(2);
  ThreadChoice choice;
  for (int i = 0; i < 3; ++i) choice.add(5);
  EXPECT_EQ(choice.threads(), 2);
}

// On shared cores all threads may be ten times slower than one.
TEST(ThreadChoice, ATrialThatGoesWrongEndsSoonAndIsRarelyMadeAgain) {
  const ThreadLimit limit(2);
  ThreadChoice choice;
  int64_t slow = 0, trials = 0;
  bool before = false;
  constexpr int kChunks = 40'000;  // a quarter of an hour
  for (int i = 0; i < kChunks; ++i) {
    const bool all = choice.threads() == 2;
    trials += all && !before;
    before = all;
    slow += all;
    choice.add(all ? 10 : 0.95);
  }
  EXPECT_GE(trials, 2) << "the machine may be another's by then";
  EXPECT_LE(trials, 8);
  EXPECT_LE(slow, 16 + 2 * trials) << "of which the first, with nothing known, is a whole one";
}

TEST(ThreadChoice, OfOneThreadThereIsNone) {
  const ThreadLimit limit(1);
  ThreadChoice choice;
  for (int i = 0; i < 100; ++i) choice.add(2);
  EXPECT_EQ(choice.threads(), 1);
}

TEST(LiveStream, PlaysWhatTheRendererRenders) {
  LiveRenderer renderer(live_model(), 2);
  const std::vector<float> expected = rendered(renderer, 1000);
  LiveStream stream(std::make_unique<LiveRenderer>(live_model(), 2), 100);
  std::vector<float> sound(expected.size());
  for (size_t at = 0; at < sound.size(); at += 125) stream.pull({sound.data() + at, 125});
  EXPECT_EQ(sound, expected);

  // The same by who does not wait: silence where there is nothing.
  LiveStream played(std::make_unique<LiveRenderer>(live_model(), 2), 100);
  std::vector<float> heard;
  while (heard.size() < expected.size()) {
    std::vector<float> block(50, 7.0F);
    const int64_t count = played.process(block);
    EXPECT_TRUE(std::all_of(block.begin() + count, block.end(), [](float x) { return x == 0; }));
    heard.insert(heard.end(), block.begin(), block.begin() + count);
  }
  heard.resize(expected.size());
  EXPECT_EQ(heard, expected);
  EXPECT_EQ(played.error(), nullptr);
  EXPECT_GE(played.ahead(), 100);
}

// Commands between pulls act in the same place of the sound, whenever they come.
TEST(LiveStream, IsPulledTheSameWithTheSameCommands) {
  std::vector<std::vector<float>> sounds;
  for (const int wait : {0, 1, 30}) {  // ms
    LiveStream stream(std::make_unique<LiveRenderer>(live_model(), 2), 100);
    std::vector<float>& sound = sounds.emplace_back(20 * 45);
    for (size_t block = 0; block < 20; ++block) {
      std::this_thread::sleep_for(std::chrono::milliseconds(wait));
      const ControlLine::Value one[] = {{2, static_cast<float>(block % 5) / 4}};
      stream.control().set(one, static_cast<int64_t>(block % 3));
      stream.pull({sound.data() + 45 * block, 45});
    }
  }
  EXPECT_EQ(sounds[1], sounds[0]);
  EXPECT_EQ(sounds[2], sounds[0]);
}

TEST(LiveStream, KeepsAsMuchReadyAsIsAskedForAtOnce) {
  LiveStream stream(std::make_unique<LiveRenderer>(live_model(), 2), 16);
  std::vector<float> block(512);
  int whole = 0;
  for (int i = 1; i < 30 && whole < 3; ++i) {  // at leisure: under a sanitizer it is slow
    std::this_thread::sleep_for(std::chrono::milliseconds(100 * i));
    whole += stream.process(block) == std::ssize(block);
  }
  EXPECT_EQ(whole, 3);
  EXPECT_GE(stream.ahead(), 512);
  EXPECT_LE(stream.ahead(), 512 + 64);
}

TEST(LiveStream, UnderrunsAreCountedFromTheFirstSampleOn) {
  LiveStream stream(std::make_unique<LiveRenderer>(live_model(), 2), 64);
  std::vector<float> block(16);
  while (stream.process(block) == 0) EXPECT_EQ(stream.underruns(), 0);
  std::vector<float> long_block(100'000);
  EXPECT_LT(stream.process(long_block), std::ssize(long_block));
  EXPECT_GE(stream.underruns(), 1);
}

TEST(LiveStream, ControlIsSetFromOtherThreads) {
  LiveStream stream(std::make_unique<LiveRenderer>(live_model(), 1), 32);
  std::jthread other([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const ControlLine::Value one[] = {{i % 3, static_cast<float>(i % 5) / 4}};
      stream.control().set(one, i % 7, LiveControl::Clock::now());
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  std::vector<float> block(512);
  for (int i = 0; i < 20; ++i) stream.pull(block);
  other.request_stop();
  other.join();
  stream.stop();
  EXPECT_GT(stream.latency().commands, 0);
  EXPECT_GT(stream.latency().worst, 0);
  EXPECT_GE(stream.latency().worst, stream.latency().mean());
}

TEST(LiveStream, AFailureIsSaidAndSilence) {
  LiveModel model = live_model();
  for (float& weight : model.model.weights) weight = std::nanf("");
  LiveStream stream(std::make_unique<LiveRenderer>(std::move(model), 2), 32);
  std::vector<float> block(16);
  expect_error<Error>([&] { stream.pull(block); }, {"isfinite", "logit nan"});
  ASSERT_NE(stream.error(), nullptr);
  EXPECT_EQ(stream.process(block), 0);
  EXPECT_EQ(block, std::vector<float>(16, 0.0F));
}

TEST(LiveGain, BringsToTheLoudnessOfFilesOrBelowTheCeiling) {
  LiveModel model = live_model();
  const std::atomic<bool> never{false}, at_once{true};
  const double gain = measure_live_gain(model.model, model.codec, never);
  EXPECT_EQ(measure_live_gain(model.model, model.codec, never), gain);
  EXPECT_EQ(measure_live_gain(model.model, model.codec, at_once), 0);
  LiveModel greedy = live_model();
  greedy.model.info.sampling.top_n = 1;
  EXPECT_NE(measure_live_gain(greedy.model, greedy.codec, never), gain) << "as it will be drawn";
  // This noise has no peaks that would limit it.
  LiveRenderer renderer(live_model({0, gain}), 8);
  std::vector<float> sound = rendered(renderer, 8000 * 8);
  EXPECT_NEAR(integrated_loudness(sound, 1, 8000), kGeneratedLoudness, 3);
  EXPECT_EQ(renderer.times().cut, 0);
}

}  // namespace
}  // namespace dsf
