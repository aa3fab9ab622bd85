// The picture of a generation: its parts one by one, then the pixels of the whole.
#include "engine/picture/generation_picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numbers>

#include "engine/picture/axis.h"
#include "engine/picture/color.h"
#include "engine/picture/spectrogram.h"
#include "kernels/common/checks.h"
#include "tests/pixels.h"

namespace dsf {
namespace {

constexpr double kRate = 44100;

std::vector<float> sine(double hz, double amplitude, double seconds) {
  std::vector<float> audio(static_cast<size_t>(seconds * kRate));
  for (size_t i = 0; i < audio.size(); ++i) {
    const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / kRate;
    audio[i] = static_cast<float>(amplitude * std::sin(phase));
  }
  return audio;
}

int64_t loudest_row(const Spectrogram& spectrogram, int64_t column) {
  int64_t loudest = 0;
  const auto at = [&](int64_t row) {
    return spectrogram.decibels[static_cast<size_t>(row * spectrogram.columns + column)];
  };
  for (int64_t row = 0; row < spectrogram.rows; ++row) {
    if (at(row) > at(loudest)) loudest = row;
  }
  return loudest;
}

double centre_hz(const Spectrogram& spectrogram, int64_t row) {
  const double share = 1 - (static_cast<double>(row) + 0.5) / static_cast<double>(spectrogram.rows);
  return spectrogram.lowest_hz * std::pow(spectrogram.highest_hz / spectrogram.lowest_hz, share);
}

TEST(SpectrogramTest, ShowsASineAtItsFrequencyAndLevel) {
  // Bin centres (multiples of 44100/2048), so that a Hann window gives the level exactly.
  for (const int bin : {10, 100, 700}) {
    const double hz = bin * kRate / 2048;
    const Spectrogram spectrogram = compute_spectrogram(sine(hz, 0.1, 1), kRate, 30, 2000);
    ASSERT_EQ(spectrogram.decibels.size(), 30U * 2000U);
    const int64_t row = loudest_row(spectrogram, 15);
    EXPECT_NEAR(centre_hz(spectrogram, row) / hz, 1, 0.005) << "rows are 0.3 % of a frequency high";
    if (bin > 100) continue;  // there a row holds several bins and shows their mean
    const float level = spectrogram.decibels[static_cast<size_t>(row * 30 + 15)];
    // A row's middle is up to 0.15 bins (0.15 % of bin 100) from the bin's centre; towards the
    // next bin the power falls to a quarter, so 0.5 dB are lost.
    EXPECT_NEAR(level, -20.26, 0.27) << hz;
  }
}

TEST(SpectrogramTest, TimeRunsFromLeftToRight) {
  std::vector<float> audio = sine(1000, 0.5, 1);
  std::fill(audio.begin(), audio.begin() + static_cast<int64_t>(audio.size() / 2), 0.0F);
  const Spectrogram spectrogram = compute_spectrogram(audio, kRate, 100, 50);
  const auto level = [&](int64_t column) {
    return spectrogram
        .decibels[static_cast<size_t>(loudest_row(spectrogram, column) * 100 + column)];
  };
  EXPECT_EQ(level(0), kSilenceDecibels);
  EXPECT_EQ(level(40), kSilenceDecibels);
  EXPECT_GT(level(60), -15);
  EXPECT_GT(level(99), -15);
}

TEST(SpectrogramTest, TakesShortLongAndBrokenAudio) {
  const std::vector<float> click(1, 1.0F);
  EXPECT_GT(compute_spectrogram(click, kRate, 3, 3).decibels[4], kSilenceDecibels);
  const std::vector<float> broken(5000, std::nanf(""));
  for (const float level : compute_spectrogram(broken, kRate, 3, 3).decibels) {
    EXPECT_EQ(level, kSilenceDecibels);
  }
  EXPECT_EQ(compute_spectrogram({}, kRate, 2, 2).decibels, std::vector<float>(4, kSilenceDecibels));
  EXPECT_THROW(compute_spectrogram(click, 100, 2, 2), Error);
}

TEST(AxisTest, PlacesValues) {
  const Axis linear{-1, 3, "", {}};
  EXPECT_DOUBLE_EQ(linear.position(-1), 0);
  EXPECT_DOUBLE_EQ(linear.position(0), 0.25);
  const Axis logarithmic{10, 1000, "", {}, true};
  EXPECT_DOUBLE_EQ(logarithmic.position(100), 0.5);
}

std::string labels(const std::vector<Axis::Tick>& ticks) {
  std::string text;
  for (const Axis::Tick& tick : ticks) text += tick.label + " ";
  return text;
}

TEST(AxisTest, TicksAreRoundNumbers) {
  EXPECT_EQ(labels(even_ticks(0, 5, 12)), "0.0 0.5 1.0 1.5 2.0 2.5 3.0 3.5 4.0 4.5 5.0 ");
  EXPECT_EQ(labels(even_ticks(-1, 1, 5)), "-1.0 -0.5 0.0 0.5 1.0 ");
  EXPECT_EQ(labels(even_ticks(0.3, 61, 5)), "20 40 60 ");
  EXPECT_EQ(labels(even_ticks(0, 1023, 6)), "0 200 400 600 800 1000 ");
  EXPECT_EQ(labels(even_ticks(0, 0.01, 5)), "0.000 0.002 0.004 0.006 0.008 0.010 ");
  EXPECT_EQ(labels(frequency_ticks(50, 22050)), "50 100 200 500 1k 2k 5k 10k 20k ");
}

TEST(ColorTest, TheScaleRisesEvenlyInLightness) {
  // CIE lightness, an account of the eye that the scale was not made from.
  const auto lightness = [](double value) {
    const Color color = scale_color(value);
    const auto linear = [](double c) {
      return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    };
    const double y =
        0.2126 * linear(color.red) + 0.7152 * linear(color.green) + 0.0722 * linear(color.blue);
    return y > 0.008856 ? 116 * std::cbrt(y) - 16 : 903.3 * y;
  };
  double before = lightness(0);
  EXPECT_LT(before, 5);
  for (int step = 1; step <= 20; ++step) {
    const double now = lightness(step / 20.0);
    EXPECT_GT(now - before, 1.0) << step;
    EXPECT_LT(now - before, 10.0) << step;
    before = now;
  }
  EXPECT_GT(before, 90);
  EXPECT_EQ(scale_color(std::nan("")).red, scale_color(0).red);
  EXPECT_EQ(scale_color(7).red, scale_color(1).red);
}

GenerationPicture make_picture(std::span<const float> audio, std::span<const int32_t> tokens) {
  GenerationPicture generation;
  generation.title = "title";
  generation.seconds = 1;
  generation.names = {"first", "second", "parameter"};
  generation.num_classes = 2;
  generation.conditioning = make_morph("sweep", 86, {"first", "second"}, {"parameter"}, 1, {});
  generation.audio = audio;
  generation.sample_rate = kRate;
  generation.tokens = tokens;
  generation.num_codebooks = 4;
  generation.vocab_size = 1024;
  return generation;
}

TEST(GenerationPictureTest, ShowsConditioningWaveformAndSpectrogram) {
  const std::vector<float> loud = sine(1000, 0.9, 1), quiet = sine(1000, 0.55, 1);
  const Pixels picture(draw_generation(make_picture(loud, {})));
  EXPECT_EQ(picture.width(), 1400);
  // The first class never sounds: the lines have the first two colours, not the third.
  // The first is 1106 pixels long, and where the parameter is 1 its dashes hide two thirds of it.
  EXPECT_GT(picture.count(line_color(0), 0, 0.28), 900);
  EXPECT_GT(picture.count(line_color(1), 0, 0.28), 100);
  EXPECT_EQ(picture.count(line_color(2), 0, 0.28), 0);
  // A waveform of twice the area at about twice the amplitude.
  const int area = picture.count(line_color(0), 0.28, 0.48);
  const Pixels other(draw_generation(make_picture(quiet, {})));
  EXPECT_NEAR(static_cast<double>(area) / other.count(line_color(0), 0.28, 0.48), 0.9 / 0.55, 0.05);
  // At half the amplitude the axis is half as long.
  const std::vector<float> half = sine(1000, 0.45, 1);
  const Pixels zoomed(draw_generation(make_picture(half, {})));
  EXPECT_NEAR(static_cast<double>(area) / zoomed.count(line_color(0), 0.28, 0.48), 1, 0.05);
  // Almost all of a sine's spectrogram is as dark as can be, and some of it is bright.
  EXPECT_GT(picture.count(scale_color(0), 0.5, 1), 200'000);
  int bright = 0;
  for (int step = 204; step <= 255; ++step) {
    bright += picture.count(scale_color(step / 255.0), 0.5, 1);
  }
  EXPECT_GT(bright, 3000);  // three rows or more
}

TEST(GenerationPictureTest, ShowsTokensWhereThereIsNoAudio) {
  std::vector<int32_t> tokens(4 * 86, 0);
  for (size_t i = 0; i < tokens.size(); i += 4) tokens[i] = 1023;  // all of the first codebook
  const Pixels picture(draw_generation(make_picture({}, tokens)));
  EXPECT_GT(picture.count(scale_color(1), 0.37, 0.53), 90'000);
  EXPECT_LT(picture.count(scale_color(0), 0.37, 0.50), 100);
  EXPECT_GT(picture.count(scale_color(0), 0.53, 1), 270'000);
}

TEST(GenerationPictureTest, WritesTheFileWholeOrNotAtAll) {
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / "dsf_generation.png";
  const std::vector<float> audio = sine(100, 0.1, 0.5);
  write_generation_picture(file, make_picture(audio, {}));
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_EQ(bytes, draw_generation(make_picture(audio, {})));
  EXPECT_THROW(write_generation_picture(file, make_picture({}, {})), Error);
  EXPECT_EQ(std::filesystem::file_size(file), bytes.size());
  std::filesystem::remove(file);
}

TEST(GenerationPictureTest, DrawsAnyText) {
  const std::vector<float> audio = sine(100, 0, 0.5);
  GenerationPicture generation = make_picture(audio, {});
  generation.title = "caf\xc3\xa9 \xff\xc3( \xed\xa0\x80 \xf5\x80 \x01" + std::string(10'000, 'x');
  generation.names = {"", "\xe2\x82", std::string(300, 'w')};
  const Pixels picture(draw_generation(generation));
  EXPECT_EQ(picture.width(), 1400);
}

TEST(GenerationPictureTest, RefusesWhatDoesNotFitTogether) {
  const std::vector<float> audio = sine(100, 0.1, 0.5);
  GenerationPicture generation = make_picture(audio, {});
  generation.names.pop_back();
  EXPECT_THROW(draw_generation(generation), Error);
  EXPECT_THROW(draw_generation(make_picture({}, {})), Error);
  generation = make_picture(audio, {});
  generation.seconds = 0;
  EXPECT_THROW(draw_generation(generation), Error);
}

}  // namespace
}  // namespace dsf
