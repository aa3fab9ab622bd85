// Decoding in parts is decoding whole, whatever the rates, the parts and the mode; a decode looks
// exactly as far around a frame as the geometry says.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "engine/codec/codec_decoder.h"
#include "tests/random_codec.h"
#include "tests/worst.h"

namespace dsf {
namespace {

using testing::random_codes;
using testing::RandomCodec;
using testing::small_codec;

// Even, odd and mixed rates, a rate of 1, which loses a whole frame, and the official ones.
const std::vector<std::vector<int64_t>> kRates = {{4, 2}, {3, 5},    {5, 2, 3},
                                                  {2},    {1, 1, 3}, {8, 8, 4, 2}};
constexpr int64_t kFrames = 200;

std::string rates_text(const std::vector<int64_t>& rates) {
  return fmt::format("rates {}", fmt::join(rates, ","));
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest =
        testing::worse(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

TEST(CodecDecode, WholeEqualsParts) {
  double largest = 0;
  for (const auto& rates : kRates) {
    const bool wide = rates.size() == 1;  // so that play is by minimal filtering
    const Codec codec(RandomCodec(small_codec(rates, wide ? 64 : 16)).weights(), {},
                      CodecUse::play);
    for (const bool padded : {true, false}) {
      const auto [before, after] = codec.geometry().reach(padded);
      const int64_t frames = before + after + 9;  // parts at both ends, and some that see neither
      const std::vector<int32_t> codes = random_codes(codec.config(), 3, frames);
      const ConstIndexTensor view(codes.data(), {3, frames});
      const std::vector<float> whole = codec.decode(view, padded);
      ASSERT_EQ(static_cast<int64_t>(whole.size()), codec.geometry().samples(frames, padded));
      for (const int64_t part : {int64_t{1}, int64_t{2}, int64_t{5}, int64_t{16}, frames / 2,
                                 frames - 1, frames, frames + 1000}) {
        const double difference =
            largest_difference(whole, codec.decode_chunked(view, part, padded));
        EXPECT_LE(difference, 1e-5)
            << rates_text(rates) << " padded " << padded << " parts of " << part;
        largest = testing::worse(largest, difference);
      }
    }
  }
  std::printf("    whole against parts: at most %.1e, limit 1e-5\n", largest);
}

// Minimal filtering is not heard: of the bundled codec's sounds it changes next to nothing.
TEST(CodecDecode, WhatIsPlayedIsWhatIsDecoded) {
  const std::filesystem::path weights =
      std::filesystem::path(DSF_SOURCE_DIR) / "data/codec/weights.pth";
  const Codec plain = Codec::load(weights), played = Codec::load(weights, {}, CodecUse::play);
  const std::vector<int32_t> codes = random_codes(plain.config(), 4, kFrames);
  const ConstIndexTensor view(codes.data(), {4, kFrames});
  const double difference = largest_difference(plain.decode(view), played.decode(view));
  std::printf("    played against decoded: at most %.1e, limit 1e-5\n", difference);
  EXPECT_LE(difference, 1e-5);
  EXPECT_GT(difference, 0) << "both are computed alike";
}

// With padding a frame is a hop, or, at odd rates, a few samples less at the end.
TEST(CodecDecode, LengthsFollowFromTheRates) {
  const auto samples = [](const std::vector<int64_t>& rates, int64_t frames, bool padded) {
    return DecoderGeometry(small_codec(rates)).samples(frames, padded);
  };
  EXPECT_EQ(samples({8, 8, 4, 2}, 10, true), 5120);
  EXPECT_EQ(samples({3, 5}, 10, true), (3 * 10 - 1) * 5 - 1);
  EXPECT_EQ(samples({1, 2}, 10, true), 18);
  // dac's windows of 5 s: 416 frames that become 204,650 samples, by which the windows advance.
  EXPECT_EQ(samples({8, 8, 4, 2}, 416, false), 204'650);
  EXPECT_THROW(samples({8, 8, 4, 2}, 3, false), Error);
}

TEST(CodecDecode, FewerCodebooksLeaveOutTheOthersShare) {
  // A codec whose later codebooks say nothing decodes three codebooks as it decodes the first.
  RandomCodec random(small_codec({4, 2}));
  CodecWeights silent = random.weights();
  for (const char* name : {"quantizer.quantizers.1", "quantizer.quantizers.2"}) {
    for (const char* part : {".codebook.weight", ".out_proj.bias"}) {
      const auto& shape = silent.tensors.at(std::string(name) + part)->shape;
      silent.tensors[std::string(name) + part] = std::make_shared<StoredTensor>(
          from_floats(shape, std::vector<float>(*element_count(shape), 0.0F)));
    }
  }
  const Codec full(random.weights()), first_only(silent);
  const std::vector<int32_t> codes = random_codes(full.config(), 3, kFrames);
  const ConstIndexTensor all(codes.data(), {3, kFrames}), one = all.slice(0, 1);
  EXPECT_LE(largest_difference(full.decode(one), first_only.decode(all)), 1e-6);
  EXPECT_GT(largest_difference(full.decode(one), full.decode(all)), 1e-2);
}

TEST(CodecDecode, WindowsAreDecodedByThemselvesAndJoined) {
  const Codec codec(RandomCodec(small_codec({4, 2})).weights());
  const std::vector<int32_t> codes = random_codes(codec.config(), 3, kFrames);
  const ConstIndexTensor view(codes.data(), {3, kFrames});
  constexpr int64_t kWindow = 70;  // the last one has 60 frames
  for (const bool padded : {true, false}) {
    std::vector<float> expected;
    CodecDecoder decoder(codec, kWindow);
    for (int64_t first = 0; first < kFrames; first += kWindow) {
      const auto part =
          decoder.decode_window(view, first, std::min(kWindow, kFrames - first), padded);
      expected.insert(expected.end(), part.begin(), part.end());
    }
    EXPECT_LE(largest_difference(codec.decode_windows(view, kWindow, padded), expected), 1e-5);
  }
  EXPECT_LE(
      largest_difference(codec.decode_windows(view, int64_t{1} << 40, true), codec.decode(view)),
      1e-5);
}

TEST(CodecDecode, LongWindowsAreDecodedInBoundedMemory) {
  const Codec codec(RandomCodec(small_codec({2}, 4)).weights());
  constexpr int64_t kLong = 1000;  // several parts of decode_windows
  const std::vector<int32_t> codes = random_codes(codec.config(), 3, kLong);
  const ConstIndexTensor view(codes.data(), {3, kLong});
  for (const bool padded : {true, false}) {
    std::vector<int64_t> told;
    const std::vector<float> windows = codec.decode_windows(view, kLong, padded, [&](int64_t n) {
      told.push_back(n);
      return true;
    });
    EXPECT_LE(largest_difference(windows, codec.decode(view, padded)), 1e-5);
    EXPECT_GE(told.size(), 3U);
    EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
    EXPECT_EQ(told.back(), kLong);
    std::vector<float> joined;
    size_t longest = 0;
    EXPECT_TRUE(codec.stream_windows(view, kLong, padded, [&](std::span<const float> part) {
      joined.insert(joined.end(), part.begin(), part.end());
      longest = std::max(longest, part.size());
    }));
    EXPECT_EQ(joined, windows);
    EXPECT_LT(longest, windows.size() / 2);
  }
  const std::vector<float> stopped =
      codec.decode_windows(view, kLong, true, [](int64_t) { return false; });
  EXPECT_LT(stopped.size(), codec.decode(view).size() / 2);
  EXPECT_FALSE(codec.stream_windows(
      view, kLong, true, [](std::span<const float>) {}, [](int64_t n) { return n < kLong; }))
      << "ended by the last it was told";
}

TEST(CodecDecode, CodesThatTheCodecDoesNotKnowAreErrors) {
  const Codec codec(RandomCodec(small_codec({4, 2})).weights());
  std::vector<int32_t> codes = random_codes(codec.config(), 3, kFrames);
  const auto message = [&](const Shape& shape) -> std::string {
    try {
      codec.decode_windows({codes.data(), shape}, kFrames, true);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  for (const int32_t bad : {16, 65535, -1}) {
    codes[kFrames + 5] = bad;  // codebook 1, frame 5
    EXPECT_EQ(message({3, kFrames}),
              fmt::format("code {} of codebook 1 at frame 5 is outside 0 … 15", bad));
  }
  codes[kFrames + 5] = 0;
  EXPECT_EQ(message({3, kFrames}), "no error");
  EXPECT_NE(message({4, 15}).find("4"), std::string::npos);  // more codebooks than the codec
  EXPECT_NE(message({4, 15}), "no error");
  EXPECT_NE(message({3, 0}), "no error");
}

// ---- How far a decode looks

/// A codec whose convolutions of kernel 7 see through one tap only: activations are shifted by the
/// whole reach of a layer, so that a dependence on the farthest frame is not lost in rounding.
CodecWeights one_tap_codec(const CodecConfig& config, int64_t tap) {
  CodecWeights weights = RandomCodec(config).weights();
  for (auto& [name, tensor] : weights.tensors) {
    const bool is_kernel_7 = name.ends_with("weight_v") && name.starts_with("decoder") &&
                             tensor->shape[2] == kConvolutionKernel;
    if (!is_kernel_7) continue;
    std::vector<float> values = to_floats(*tensor);
    for (size_t i = 0; i < values.size(); ++i) {
      if (static_cast<int64_t>(i) % kConvolutionKernel != tap) values[i] = 0;
    }
    tensor = std::make_shared<StoredTensor>(from_floats(tensor->shape, values));
  }
  return weights;
}

struct Blocks {
  int64_t first, last;
};

/// The blocks of a hop of samples that change when the codes of frame `frame` do.
Blocks changed_blocks(const Codec& codec, int64_t frames, int64_t frame, bool padded) {
  std::vector<int32_t> codes = random_codes(codec.config(), 3, frames);
  const ConstIndexTensor view(codes.data(), {3, frames});
  const std::vector<float> before = codec.decode(view, padded);
  for (int64_t n = 0; n < 3; ++n) {
    int32_t& code = codes[static_cast<size_t>(n * frames + frame)];
    code = (code + 5) % 16;
  }
  const std::vector<float> after = codec.decode(view, padded);
  Blocks blocks{frames, -1};
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    const int64_t block = static_cast<int64_t>(i) / codec.config().hop();
    blocks = {std::min(blocks.first, block), std::max(blocks.last, block)};
  }
  return blocks;
}

TEST(CodecDecode, LooksExactlyAsFarAsTheGeometrySays) {
  for (const auto& rates : kRates) {
    const CodecConfig config = small_codec(rates);
    const Codec earlier(one_tap_codec(config, 0)), later(one_tap_codec(config, 6)),
        all_taps(RandomCodec(config).weights());
    for (const bool padded : {true, false}) {
      SCOPED_TRACE(fmt::format("{} padded {}", rates_text(rates), padded));
      const auto [before, after] = all_taps.geometry().reach(padded);
      const int64_t frame = std::max(before, after) + 3, frames = 2 * frame + 1;
      // A block b depends on frames b − before … b + after, and on both of these.
      EXPECT_EQ(changed_blocks(earlier, frames, frame, padded).last, frame + before);
      EXPECT_EQ(changed_blocks(later, frames, frame, padded).first, frame - after);
      const Blocks changed = changed_blocks(all_taps, frames, frame, padded);
      EXPECT_GE(changed.first, frame - after);
      EXPECT_LE(changed.last, frame + before);
      EXPECT_LE(changed.first, changed.last) << "nothing changed";
    }
  }
}

TEST(CodecDecode, OfficialRatesLookTenFramesAround) {
  const DecoderGeometry::Reach reach = DecoderGeometry(small_codec({8, 8, 4, 2})).reach(true);
  EXPECT_EQ(reach.before, 10);
  EXPECT_EQ(reach.after, 10);
}

}  // namespace
}  // namespace dsf
