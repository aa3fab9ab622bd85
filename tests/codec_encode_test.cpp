// Encoding: lengths, windows, and what the .dac file says of it. Codes themselves are compared with
// `dac`'s in the golden cases.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <tuple>

#include "engine/audio/loudness.h"
#include "engine/codec/codec_encoder.h"
#include "engine/codec/dac_encoding.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"
#include "tests/random_codec.h"
#include "tests/without_bf16.h"

namespace dsf {
namespace {

const std::string kWeights = std::string(DSF_SOURCE_DIR) + "/tests/data/dac/tiny/weights.pth";

/// Tones and noise of `seconds` at `rate` Hz; each channel is another sound.
Audio make_audio(double seconds, int rate = 44100, int channels = 1, double amplitude = 0.2) {
  Audio audio{rate, channels, {}};
  const auto frames = static_cast<int64_t>(seconds * rate);
  uint32_t noise = 1;
  for (int64_t n = 0; n < frames; ++n) {
    const double t = static_cast<double>(n) / rate;
    for (int c = 0; c < channels; ++c) {
      noise = noise * 1664525U + 1013904223U;
      const double tone = std::sin(2 * std::numbers::pi * (220 + 110 * c) * t * (1 + 0.1 * t));
      audio.samples.push_back(static_cast<float>(
          amplitude * (tone + 0.5 * (static_cast<double>(noise) / 4294967296.0 - 0.5))));
    }
  }
  return audio;
}

// What is rounded may be nearest to another code.
TEST(CodecEncoder, GivesTheCodesOfFloat32InBf16) {
  if (!onednn::has_bf16()) GTEST_SKIP() << testing::kWithoutBf16;
  CodecConfig config = testing::small_codec({4, 2}, 64);
  config.encoder_dim = 32;
  testing::RandomCodec random(config);
  random.add_encoder();
  const Codec exact(random.weights(), {}, CodecUse::both);
  const Codec rounding(random.weights(), make_context("cpu", "bf16"), CodecUse::both);
  const Audio audio = make_audio(0.05, config.sample_rate);
  const auto codes = [&](const Codec& codec) {
    const int64_t hop = codec.config().hop(), samples = std::ssize(audio.samples) / hop * hop;
    CodecEncoder encoder(codec, samples);
    const std::span<const float> sound(audio.samples.data(), static_cast<size_t>(samples));
    const ConstIndexTensor result = encoder.encode(sound, codec.config().n_codebooks);
    return std::vector<int32_t>(result.data, result.data + result.size());
  };
  EXPECT_EQ(codes(rounding), codes(exact));
}

class Encoding : public ::testing::Test {
 protected:
  DacFile encode(const Audio& audio, const EncodeOptions& options = {}) const {
    AudioView source(audio);
    return DacEncoder(codec_, options).encode(source).value();
  }
  std::vector<uint16_t> codes_of_channel(const DacFile& file, int64_t channel) const {
    const auto begin = file.codes.begin() + channel * file.n_codebooks * file.frames;
    return {begin, begin + file.n_codebooks * file.frames};
  }

  const Codec codec_ = Codec::load(kWeights, {}, CodecUse::both);
  const int64_t hop_ = codec_.config().hop();
};

CodecConfig official() {
  CodecConfig config = Codec::load(kWeights).config();
  config.encoder_dim = 64;
  config.latent_dim = 1024;
  config.decoder_dim = 1536;
  return config;
}

// UPSTREAM's figures for the 44.1 kHz shape.
TEST(CodecWindows, AreThoseOfTheDacPackage) {
  const CodecWindows windows(official(), 5);
  EXPECT_EQ(windows.delay, 7904);
  EXPECT_EQ(windows.samples, 220672);
  EXPECT_EQ(windows.step, 204650);
  EXPECT_THROW(CodecWindows(official(), 0.1), UsageError);
}

TEST_F(Encoding, ShortSoundIsEncodedInOnePiece) {
  const Audio audio = make_audio(1.0);
  const DacFile file = encode(audio);
  EXPECT_EQ(file.frames, (44100 + hop_ - 1) / hop_);
  EXPECT_EQ(file.n_codebooks, 4);
  EXPECT_EQ(file.metadata.original_length, 44100);
  EXPECT_EQ(file.metadata.sample_rate, 44100);
  EXPECT_EQ(file.metadata.chunk_length, file.frames);
  EXPECT_TRUE(file.metadata.padding);
  EXPECT_NEAR(file.metadata.input_db, integrated_loudness(audio.samples, 1, 44100), 1e-4);
}

// The step by step meaning of "brought to −16 LUFS, then encoded".
TEST_F(Encoding, LoudnessIsNormalisedBeforeEncoding) {
  Audio audio = make_audio(0.8);
  const DacFile normalised = encode(audio);
  normalize_loudness(audio.samples, 1, 44100, -16);
  EXPECT_EQ(encode(audio, {4, 5, std::nullopt}).codes, normalised.codes);
  EXPECT_NE(encode(make_audio(0.8), {4, 5, std::nullopt}).codes, normalised.codes);
}

TEST_F(Encoding, PeaksAreBroughtToOneByChannel) {
  Audio audio = make_audio(0.5, 44100, 2, 0.6);
  for (size_t i = 1; i < audio.samples.size(); i += 2) audio.samples[i] *= 4;
  float peak = 0;
  for (size_t i = 1; i < audio.samples.size(); i += 2) {
    peak = std::max(peak, std::abs(audio.samples[i]));
  }
  ASSERT_GT(peak, 1);
  const DacFile file = encode(audio, {4, 5, std::nullopt});
  for (size_t i = 1; i < audio.samples.size(); i += 2) audio.samples[i] *= 1 / peak;
  EXPECT_EQ(encode(audio, {4, 5, std::nullopt}).codes, file.codes);
}

TEST_F(Encoding, FewerCodebooksAreTheFirstOnes) {
  const Audio audio = make_audio(0.5);
  const DacFile all = encode(audio), two = encode(audio, {2, 5, -16});
  ASSERT_EQ(two.n_codebooks, 2);
  EXPECT_EQ(two.codes,
            std::vector<uint16_t>(all.codes.begin(), all.codes.begin() + 2 * all.frames));
}

TEST_F(Encoding, ChannelsAreEncodedByThemselves) {
  const Audio stereo = make_audio(0.5, 44100, 2);
  const DacFile file = encode(stereo, {4, 5, std::nullopt});
  ASSERT_EQ(file.channels, 2);
  for (size_t channel = 0; channel < 2; ++channel) {
    Audio mono{44100, 1, {}};
    for (size_t i = channel; i < stereo.samples.size(); i += 2) {
      mono.samples.push_back(stereo.samples[i]);
    }
    EXPECT_EQ(encode(mono, {4, 5, std::nullopt}).codes,
              codes_of_channel(file, static_cast<int64_t>(channel)));
  }
}

// Windows cut out by hand from the whole sound, behind `delay` zeros.
TEST_F(Encoding, LongSoundIsEncodedInWindows) {
  const Audio audio = make_audio(2.0);
  const EncodeOptions options{4, 0.6, std::nullopt};
  const DacFile file = encode(audio, options);
  EXPECT_FALSE(file.metadata.padding);
  const CodecWindows windows(codec_.config(), 0.6);
  std::vector<float> padded(static_cast<size_t>(windows.delay));
  padded.insert(padded.end(), audio.samples.begin(), audio.samples.end());
  const int64_t count = (audio.frames() + windows.step - 1) / windows.step;
  ASSERT_GE(count, 5);
  padded.resize(static_cast<size_t>((count - 1) * windows.step + windows.samples));
  CodecEncoder encoder(codec_, windows.samples);
  EXPECT_EQ(file.frames, count * file.metadata.chunk_length);
  for (int64_t i = 0; i < count; ++i) {
    const ConstIndexTensor codes =
        encoder.encode(std::span(padded).subspan(static_cast<size_t>(i * windows.step),
                                                 static_cast<size_t>(windows.samples)),
                       4, false);
    ASSERT_EQ(codes.dim(1), file.metadata.chunk_length);
    for (int64_t n = 0; n < 4; ++n) {
      for (int64_t t = 0; t < codes.dim(1); ++t) {
        ASSERT_EQ(file.codes[static_cast<size_t>(n * file.frames + i * codes.dim(1) + t)],
                  codes.row(n)[t])
            << "window " << i << " codebook " << n << " frame " << t;
      }
    }
  }
}

// A source may give as little as it likes at a time.
TEST_F(Encoding, PartsOfTheSourceChangeNothing) {
  class Dripping : public AudioView {
   public:
    using AudioView::AudioView;
    std::span<const float> read(int64_t) override { return AudioView::read(1237); }
  };
  const Audio audio = make_audio(1.7, 32000);
  Dripping source(audio);
  const EncodeOptions options{4, 0.6, -16};
  EXPECT_EQ(DacEncoder(codec_, options).encode(source).value(), encode(audio, options));
}

TEST_F(Encoding, OtherRatesAreResampled) {
  for (const int rate : {8000, 22050, 48000, 96000, 192000}) {
    const DacFile file = encode(make_audio(0.7, rate));
    EXPECT_EQ(file.metadata.sample_rate, rate);
    EXPECT_EQ(file.metadata.original_length, static_cast<int64_t>(0.7 * rate));
    EXPECT_NEAR(static_cast<double>(file.frames), 0.7 * 44100 / static_cast<double>(hop_), 1);
  }
}

TEST_F(Encoding, SilenceHasTheLeastLoudness) {
  const DacFile file = encode(make_audio(0.5, 44100, 1, 0));
  EXPECT_EQ(file.metadata.input_db, -70);
}

TEST_F(Encoding, UnusableSoundIsRefused) {
  const auto encoding = [&](const Audio& audio) { return [&] { encode(audio); }; };
  const Audio empty{44100, 1, {}}, surround = make_audio(0.1, 44100, 6),
                                   absurd = make_audio(0.1, 100);
  testing::expect_error<Error>(encoding(empty), {"no sound"});
  testing::expect_error<Error>(encoding(surround), {"6 channels", "--mono"});
  testing::expect_error<Error>(encoding(absurd), {"100", "44100"});
}

TEST(CodecEncoding, LatentsThatAreNoNumbersAreErrors) {
  CodecWeights weights = read_codec_weights(kWeights);
  for (auto& [name, tensor] : weights.tensors) {
    if (!name.starts_with("encoder.") || !name.ends_with(".bias")) continue;
    std::vector<float> values(static_cast<size_t>(*element_count(tensor->shape)), 3e38F);
    tensor = std::make_shared<StoredTensor>(from_floats(tensor->shape, values));
  }
  const Codec codec(weights, {}, CodecUse::encode);
  const Audio audio = make_audio(0.5);
  AudioView source(audio);
  testing::expect_error<Error>([&] { DacEncoder(codec, {}).encode(source); },
                               {"latents are no numbers or too large, in frame 0"});
}

TEST_F(Encoding, ProgressCountsBothReadingsAndCanEndIt) {
  const Audio audio = make_audio(3.0);
  AudioView source(audio);
  std::vector<int64_t> told;
  DacEncoder encoder(codec_, {});
  EXPECT_TRUE(encoder.encode(source, [&](int64_t frames) {
    told.push_back(frames);
    return true;
  }));
  EXPECT_EQ(told.back(), 2 * audio.frames());
  for (const int64_t stop : {told.front(), told[told.size() / 2]}) {
    source.rewind();
    EXPECT_FALSE(encoder.encode(source, [&](int64_t frames) { return frames < stop; }));
  }
  source.rewind();
  EXPECT_EQ(encoder.encode(source).value(), encode(audio));  // and it is as good as new
}

TEST(CodecUse, AHalfThatWasNotLoadedIsNotThere) {
  const Codec decoder = Codec::load(kWeights);
  EXPECT_THROW(CodecEncoder(decoder, 44100).encode(std::vector<float>(44100), 4), Error);
  const Codec encoder = Codec::load(kWeights, {}, CodecUse::encode);
  EXPECT_THROW(static_cast<void>(encoder.decoder()), Error);
}

}  // namespace
}  // namespace dsf
