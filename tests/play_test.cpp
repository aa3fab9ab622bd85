// dsf_infer --stream --play, on an output of the test's own.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <optional>

#include "apps/stream/stream.h"
#include "tests/expect_error.h"
#include "tests/generation_run.h"

namespace dsf {
namespace {

using testing::expect_error;

/// What an output was asked for, and did.
struct Heard {
  int64_t sample_rate = 0;
  std::vector<float> samples;
  bool drained = false, closed = false;
};

/// Asks for a block whenever it is looked at for how it does; ends after `blocks` of them.
class FakeOutput : public AudioOutput {
 public:
  FakeOutput(Heard& heard, AudioFill fill, int64_t blocks)
      : heard_(heard), fill_(std::move(fill)), left_(blocks) {}
  ~FakeOutput() override { heard_.closed = true; }

  bool plays() const override {
    std::vector<float> block(700, 7.0F);
    fill_(block);
    heard_.samples.insert(heard_.samples.end(), block.begin(), block.end());
    return --left_ > 0;
  }
  void drain() override { heard_.drained = true; }
  double latency() const override { return 0.01; }

 private:
  Heard& heard_;
  AudioFill fill_;
  mutable int64_t left_;
};

class Play : public testing::GenerationRunTest {
 protected:
  /// On an output that ends after so many blocks.
  void play(
      Heard& heard, std::optional<double> duration, int64_t blocks, const std::atomic<bool>& stop,
      const std::function<void()>& opened = [] {}) {
    StreamOptions options;
    options.stream = options.play = true;
    LiveRequest request;
    request.model = out("model.safetensors");
    request.codec = testing::kTinyCodec;
    request.sound.duration = duration;
    stream({}, options, request, stop, [&](int64_t sample_rate, AudioFill fill) {
      heard.sample_rate = sample_rate;
      opened();
      return std::make_unique<FakeOutput>(heard, std::move(fill), blocks);
    });
    EXPECT_TRUE(heard.closed);
  }
};

/// Of what was heard, from its first sound on.
std::vector<float> sounding(const std::vector<float>& samples) {
  const auto begin = std::ranges::find_if(samples, [](float x) { return x != 0; });
  return {begin, samples.end()};
}

TEST_F(Play, ADurationIsPlayedToItsEndAndNoFurther) {
  const std::atomic<bool> never{false};
  Heard heard;
  play(heard, 0.5, 1'000'000, never);
  EXPECT_TRUE(heard.drained);
  EXPECT_GT(heard.sample_rate, 0);
  const std::vector<float> played = sounding(heard.samples);
  // Half a second of frames, and silence behind it.
  const CodeTiming timing(Codec::load(testing::kTinyCodec));
  const auto frames = static_cast<double>(timing.frames_per_second());
  const auto wanted = static_cast<size_t>(std::llround(0.5 * frames) * timing.hop);
  ASSERT_GE(played.size() + 8, wanted);
  EXPECT_TRUE(std::all_of(played.begin() + static_cast<ptrdiff_t>(wanted), played.end(),
                          [](float x) { return x == 0; }));
  Heard again;
  play(again, 0.5, 1'000'000, never);
  EXPECT_EQ(sounding(again.samples).front(), played.front()) << "the same seed";
}

TEST_F(Play, AnOutputThatVanishesIsAnError) {
  const std::atomic<bool> never{false};
  Heard heard;
  expect_error<Error>([&] { play(heard, {}, 3, never); }, {"--play", "has stopped"});
  EXPECT_TRUE(heard.closed);
  EXPECT_FALSE(heard.drained);
}

TEST_F(Play, EndsWhenItIsStopped) {
  std::atomic<bool> stop{false};
  Heard heard;
  play(heard, {}, 1'000'000, stop, [&] { stop = true; });
  EXPECT_FALSE(heard.drained);
}

}  // namespace
}  // namespace dsf
