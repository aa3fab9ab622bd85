// Whole generations, from a checkpoint to files: variations, channels, loops.
#include "tests/generation_run.h"

#include <cmath>

#include "engine/generation/take.h"
#include "tests/spectral_flux.h"
#include "tests/worst.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::GenerationRunTest;
using testing::read_text;

const fs::path kCodec = testing::kTinyCodec;

TEST_F(GenerationRunTest, VariationsOfABatchAreTheSingleRuns) {
  GenerationJob batch = job("batch");
  batch.request.count = 4;  // so few rows are multiplied one by one: no rounding differs
  run(batch);
  for (int seed = 40; seed < 44; ++seed) {
    GenerationJob single = job("single");
    single.request.seed = static_cast<uint64_t>(seed);
    run(single);
    for (const char* ending : {".dac", ".wav", ".png"}) {
      const std::string name = fmt::format("/model-fire-seed{}{}", seed, ending);
      ASSERT_TRUE(fs::exists(out("batch" + name))) << name;
      EXPECT_EQ(read_text(out("batch" + name)), read_text(out("single" + name))) << name;
    }
    const auto described = sidecar(fmt::format("batch/model-fire-seed{}.json", seed));
    EXPECT_EQ(described.at("seed"), seed);
    EXPECT_EQ(described.at("batch").at("count"), 4);
  }
  const auto files = std::distance(fs::directory_iterator(out("batch")), {});
  EXPECT_EQ(files, 4 * 4);
}

TEST_F(GenerationRunTest, MoreVariationsThanABatchHolds) {
  GenerationJob many = job("many");
  many.codec.clear();
  many.request.duration = 0.1;
  many.request.count = 35;
  run(many);
  EXPECT_TRUE(fs::exists(out("many/model-fire-seed40.dac")));
  EXPECT_TRUE(fs::exists(out("many/model-fire-seed74.dac")));
  EXPECT_EQ(std::distance(fs::directory_iterator(out("many")), {}), 35 * 3);
}

TEST_F(GenerationRunTest, StereoIsTwoSeedsAtOneGain) {
  GenerationJob stereo = job("stereo");
  stereo.request.stereo = true;
  run(stereo);
  const Audio both = read_audio(out("stereo/model-fire-stereo-seed40.wav"));
  ASSERT_EQ(both.channels, 2);
  const Codec codec = Codec::load(kCodec);
  double gains[2] = {};
  for (const size_t channel : {0U, 1U}) {
    const DacFile codes = read_dac(out(channel == 0 ? "stereo/model-fire-stereo-seed40-left.dac"
                                                    : "stereo/model-fire-stereo-seed40-right.dac"));
    GenerationJob mono = job("mono");
    mono.request.seed = 40 + channel;
    run(mono);
    EXPECT_EQ(codes, read_dac(out(fmt::format("mono/model-fire-seed{}.dac", 40 + channel))));
    const std::vector<int32_t> plain(codes.codes.begin(), codes.codes.end());
    const std::vector<float> decoded = codec.decode({plain.data(), {4, codes.frames}});
    ASSERT_EQ(static_cast<int64_t>(decoded.size()), both.frames());
    double product = 0, power = 0;
    for (size_t i = 0; i < decoded.size(); ++i) {
      product += static_cast<double>(decoded[i]) * both.samples[2 * i + channel];
      power += static_cast<double>(decoded[i]) * decoded[i];
    }
    gains[channel] = product / power;
  }
  EXPECT_NEAR(gains[0], gains[1], 1e-5 * gains[0]);
  const auto described = sidecar("stereo/model-fire-stereo-seed40.json");
  EXPECT_EQ(described.at("stereo"), true);
  const double stated = described.at("result").at("gain_db").get<double>() +
                        described.at("result").at("peak_gain_db").get<double>();
  EXPECT_NEAR(20 * std::log10(gains[0]), stated, 1e-4);
}

TEST_F(GenerationRunTest, StereoVariationsTakeTwoSeedsEach) {
  GenerationJob pairs = job("pairs");
  pairs.request.stereo = true;
  pairs.request.count = 2;
  run(pairs);
  GenerationJob second = job("second");
  second.request.stereo = true;
  second.request.seed = 42;
  run(second);
  EXPECT_EQ(read_text(out("pairs/model-fire-stereo-seed42.wav")),
            read_text(out("second/model-fire-stereo-seed42.wav")));
}

TEST_F(GenerationRunTest, PeaksKeepTheCeiling) {
  const Codec codec = Codec::load(kCodec);
  Take left{1, make_dac(9, 60), {}}, right{2, make_dac(9, 60), {}};
  std::ranges::reverse(right.drawn.codes);
  const Sound quiet = render(codec, {left, right}, {}).value();
  left.drawn.metadata.input_db = 0;  // noise at 0 LUFS reaches far beyond full scale
  const Sound loud = render(codec, {left, right}, {}).value();
  double peak = 0;
  for (const float sample : loud.audio.samples) peak = testing::worse(peak, std::abs(sample));
  EXPECT_NEAR(20 * std::log10(peak), -1, 1e-5);
  EXPECT_LT(loud.peak_gain, -1);
  const double gain =
      std::pow(10, (loud.gain + loud.peak_gain - quiet.gain - quiet.peak_gain) / 20);
  for (size_t i = 0; i < loud.audio.samples.size(); ++i) {
    ASSERT_NEAR(loud.audio.samples[i], gain * quiet.audio.samples[i], 1e-5) << i;
  }
}

TEST_F(GenerationRunTest, ALoopHasTheAskedLengthAndNoJointThatShows) {
  GenerationJob loop = job("loop");
  loop.request.loop = true;
  loop.request.duration = 4;
  loop.request.sampling.top_n = 3;
  run(loop);
  const Audio sound = read_audio(out("loop/model-fire-loop-seed40.wav"));
  const DacFile codes = read_dac(out("loop/model-fire-loop-seed40.dac"));
  const Codec codec = Codec::load(kCodec);
  EXPECT_EQ(codes.frames, 344);
  ASSERT_EQ(sound.frames(), 344 * codec.config().hop());
  const auto described = sidecar("loop/model-fire-loop-seed40.json").at("result").at("loop");
  const auto begin = described.at("seams").at(0).at("first_frame_drawn").get<int64_t>();
  const auto fade = described.at("crossfade_frames").get<int64_t>();
  EXPECT_EQ(fade, 43);
  const testing::LoopFlux flux =
      testing::loop_flux(sound.samples, sound.sample_rate, begin % 344 * codec.config().hop(),
                         fade * codec.config().hop());
  flux.print("tiny codec");
  EXPECT_LE(flux.wrap, flux.percentile95);
  EXPECT_LE(flux.seam, flux.percentile95);
}

TEST_F(GenerationRunTest, ALoopsEndIsContinuedByItsBeginning) {
  GenerationJob loop = job("loop");
  loop.request.loop = true;
  loop.request.duration = 2;
  run(loop);
  const Audio sound = read_audio(out("loop/model-fire-loop-seed40.wav"));
  const DacFile codes = read_dac(out("loop/model-fire-loop-seed40.dac"));
  const auto seam =
      sidecar("loop/model-fire-loop-seed40.json").at("result").at("loop").at("seams").at(0);
  const int64_t begin = seam.at("first_frame_drawn").get<int64_t>() % 172;
  // The codes repeated and decoded at once are the sound repeated, wherever the codec does not look
  // into the fade (or the ends): above all from the last sample of one round to the first of the
  // next.
  const Codec codec = Codec::load(kCodec);
  const int64_t hop = codec.config().hop(), rounds = 3;
  std::vector<int32_t> repeated;
  for (int64_t n = 0; n < 4; ++n) {
    for (int64_t t = 0; t < rounds * 172; ++t) {
      repeated.push_back(codes.codes[static_cast<size_t>(n * 172 + t % 172)]);
    }
  }
  const std::vector<float> decoded = codec.decode({repeated.data(), {4, rounds * 172}});
  const double described =
      sidecar("loop/model-fire-loop-seed40.json").at("result").at("gain_db").get<double>() +
      sidecar("loop/model-fire-loop-seed40.json").at("result").at("peak_gain_db").get<double>();
  const auto gain = static_cast<float>(std::pow(10.0, described / 20));
  const int64_t before = codec.geometry().reach(true).before,
                after = codec.geometry().reach(true).after;
  int64_t compared = 0;
  for (int64_t t = 172; t < 2 * 172; ++t) {
    const int64_t into = ((t - begin) % 172 + 172) % 172;  // frames since the fade began
    if (into < 43 + before || into >= 172 - after) continue;
    for (int64_t i = t * hop; i < (t + 1) * hop; ++i) {
      ASSERT_NEAR(sound.samples[static_cast<size_t>(i - 172 * hop)],
                  gain * decoded[static_cast<size_t>(i)], 2e-5)
          << "frame " << t - 172;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 172 - 43 - before - after);
}

TEST_F(GenerationRunTest, ALoopBlendsConditioningThatDoesNotComeRound) {
  std::ofstream(out("rise.yaml")) << "unit: relative\nbreakpoints:\n"
                                     "  - {time: 0, parameters: {rate: 0}}\n"
                                     "  - {time: 1, parameters: {rate: 1}}\n";
  GenerationJob loop = job("loop");
  loop.request.loop = true;
  loop.request.morph = out("rise.yaml").string();
  loop.request.duration = 2;
  run(loop);
  EXPECT_EQ(sidecar("loop/model-rise-loop-seed40.json")
                .at("result")
                .at("loop")
                .at("blended_conditioning_frames"),
            43);
  loop.request.morph = "sweep";
  run(loop);
  EXPECT_EQ(sidecar("loop/model-sweep-loop-seed40.json")
                .at("result")
                .at("loop")
                .at("blended_conditioning_frames"),
            0);
}

TEST_F(GenerationRunTest, LoopsThatCannotBeAreRefused) {
  GenerationJob loop = job("loop");
  loop.request.loop = true;
  loop.request.duration = 0.4;
  expect_refusal<UsageError>(loop, {"loop", "34 frames", "43"});
  loop.request.duration = 1e6;
  expect_refusal<UsageError>(loop, {"1000000", "a day"});
  loop.request.duration = 2;
  loop.codec.clear();
  expect_refusal<UsageError>(loop, {"--loop", "--codec"});
}

TEST_F(GenerationRunTest, AMorphFileAndAnOptionThatItOverridesExcludeEachOther) {
  std::ofstream(out("m.yaml")) << "unit: seconds\nbreakpoints:\n"
                                  "  - {time: 0, class: rain, parameters: {rate: 0}}\n";
  GenerationJob one = job("one");
  one.request.morph = out("m.yaml").string();
  one.request.class_name = "fire";
  expect_refusal<UsageError>(one, {"--class fire", "m.yaml"});
  one.request.class_name.clear();
  one.request.parameters["rate"] = 0.1F;
  expect_refusal<UsageError>(one, {"--param rate", "m.yaml"});
  one.request.parameters.clear();
  one.request.morph = "spiral";
  expect_refusal<UsageError>(one, {"spiral", "sweep", ".csv"});
  one.request.morph = out("absent.yaml").string();
  expect_refusal<Error>(one, {"absent.yaml"});
}

TEST_F(GenerationRunTest, ParametersOutsideOfTheUsualAreWarnedOf) {
  std::ofstream(out("m.yaml")) << "unit: relative\nbreakpoints:\n"
                                  "  - {time: 0, parameters: {rate: -0.5}}\n"
                                  "  - {time: 1, parameters: {rate: 1}, interpolation: hold}\n";
  std::string warnings;
  const auto warned = [&](const GenerationJob& job) {
    warnings.clear();
    run(job);
    return !warnings.empty();
  };
  GenerationJob one = job("one");
  one.codec.clear();
  one.request.duration = 0.1;
  one.warn = [&](const std::string& text) {
    if (text.starts_with("the parameter")) warnings += text;  // not that there is no codec
  };
  for (const float usual : {0.0F, 0.5F, 1.0F}) {
    one.request.parameters["rate"] = usual;
    EXPECT_FALSE(warned(one)) << warnings;
  }
  for (const float unusual : {-0.25F, 7.0F}) {
    one.request.parameters["rate"] = unusual;
    EXPECT_TRUE(warned(one));
    const std::string expected = fmt::format("the parameter 'rate' is {}: ", unusual);
    EXPECT_TRUE(warnings.starts_with(expected)) << warnings;
  }
  one.request.parameters.clear();
  one.request.morph = "sweep";
  EXPECT_FALSE(warned(one)) << warnings;
  one.request.morph = out("m.yaml").string();
  EXPECT_TRUE(warned(one));
  EXPECT_TRUE(warnings.starts_with("the parameter 'rate' is -0.5 to ")) << warnings;
}

TEST_F(GenerationRunTest, CountsThatCannotBeAreRefused) {
  GenerationJob one = job("one");
  for (const int64_t count : {int64_t{0}, int64_t{-3}, int64_t{1} << 40}) {
    one.request.count = count;
    expect_refusal<UsageError>(one, {"--count", std::to_string(count)});
  }
  one.request.count = 1;
  for (const double duration : {0.0, -1.0, std::nan("")}) {
    one.request.duration = duration;
    expect_refusal<UsageError>(one, {"duration"});
  }
}

TEST_F(GenerationRunTest, MoreSoundThanAWavHoldsIsRefusedBeforeAnythingIsDrawn) {
  GenerationJob day = job("day");
  day.request.duration = 86'000;
  day.request.stereo = true;
  day.format = AudioFormat::wav24;
  expect_refusal<Error>(day, {".wav", "samples of 2 channels", "in parts"});
  EXPECT_FALSE(fs::exists(out("day")));
}

TEST_F(GenerationRunTest, AStopLeavesNothingHalfDone) {
  const std::atomic<bool> stop{true};
  EXPECT_EQ(run_generation(Context{}, job("stopped"), stop), GenerationOutcome::stopped);
  EXPECT_FALSE(fs::exists(out("stopped")));
}

}  // namespace
}  // namespace dsf
