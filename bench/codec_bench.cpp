// A decoded second of sound at the official size and at a small one: alone, and, as players and
// long files need it, as parts of a long sequence; drawn and decoded; and an encoded one. One line
// per work as model_bench prints them (seconds per second of sound), then where the time of one
// call went, by op.
//   codec_bench [FILTER]
#include <fmt/format.h>

#include "bench/codec_sizes.h"
#include "bench/models.h"
#include "bench/timing.h"
#include "engine/codec/codec_decoder.h"
#include "engine/codec/codec_encoder.h"
#include "engine/codec/stream_decoder.h"
#include "kernels/common/random.h"
#include "kernels/onednn/prepared_matmul.h"
#include "tests/random_codec.h"

namespace {

using dsf::Codec;
using dsf::CodecConfig;

using Size = dsf::bench::CodecSize;
using dsf::Precision;

double product(int64_t kernel, int64_t inputs, int64_t outputs) {
  return static_cast<double>(kernel * inputs * outputs);
}

/// Multiply-adds counted twice, that encode one latent frame; the search for its codes aside.
double encoder_flops_per_frame(const CodecConfig& config) {
  int64_t length = config.hop(), channels = config.encoder_dim;
  double sum = static_cast<double>(length) * product(dsf::kConvolutionKernel, 1, channels);
  for (const int64_t rate : config.encoder_rates) {
    const double unit =
        product(dsf::kConvolutionKernel, channels, channels) + product(1, channels, channels);
    sum += static_cast<double>(length * std::ssize(dsf::kDilations)) * unit;
    length /= rate;
    sum += static_cast<double>(length) * product(2 * rate, channels, 2 * channels);
    channels *= 2;
  }
  sum += static_cast<double>(length) * product(dsf::kLatentKernel, channels, config.latent_dim);
  return 2 * sum;
}

/// The same of decoding.
double flops_per_frame(const CodecConfig& config) {
  double sum = product(dsf::kConvolutionKernel, config.latent_dim, config.decoder_dim);
  int64_t length = 1, block = 0;
  for (const int64_t rate : config.decoder_rates) {
    const int64_t inputs = config.decoder_channels(block++);
    const int64_t channels = config.decoder_channels(block);
    sum += static_cast<double>(length) * product(2 * rate, inputs, channels);
    length *= rate;
    const double unit =
        product(dsf::kConvolutionKernel, channels, channels) + product(1, channels, channels);
    sum += static_cast<double>(length * std::ssize(dsf::kDilations)) * unit;
  }
  sum += static_cast<double>(length) *
         product(dsf::kConvolutionKernel, config.decoder_channels(block), 1);
  return 2 * sum;
}

dsf::Context in(Precision precision) {
  return {dsf::Device::cpu, nullptr, precision};
}

bool has(Precision precision) {
  return precision == Precision::fp32 || dsf::onednn::has_bf16();
}

void bench_size(const Size& size, dsf::bench::Filter& filter) {
  constexpr int64_t kFrames = 128;  // decoded by every work: 1.49 s of sound
  constexpr int64_t kAround = 16;   // more than a part looks at on each side
  const CodecConfig config = config_of(size);
  const auto name = [&](const std::string& way) {
    return fmt::format("decode/{}/{}", size.name, way);
  };
  using dsf::CodecUse;
  struct Way {
    std::string name;
    int64_t part;  // 0: whole
    CodecUse use = CodecUse::play;
    Precision precision = Precision::fp32;
  };
  const Way ways[] = {{name("whole"), 0},
                      {name("plain_whole"), 0, CodecUse::decode},
                      {name("bf16_whole"), 0, CodecUse::play, Precision::bf16},
                      {name("parts_of_128"), 128},
                      {name("parts_of_8"), 8}};
  const std::vector<int32_t> codes =
      dsf::testing::random_codes(config, config.n_codebooks, kFrames + 2 * kAround);
  const dsf::ConstIndexTensor view(codes.data(), {config.n_codebooks, kFrames + 2 * kAround});
  const double seconds =
      static_cast<double>(kFrames * config.hop()) / static_cast<double>(config.sample_rate);
  const auto time = [&](const std::string& way, const std::function<void()>& work) {
    dsf::bench::time_work(way, 1, {flops_per_frame(config) * static_cast<double>(kFrames), 0}, work,
                          seconds);
    dsf::bench::print_profile(work);
  };
  fmt::print("# {}: {:.1f} GFLOP per second of sound\n", size.name,
             flops_per_frame(config) * static_cast<double>(kFrames) / seconds / 1e9);
  const dsf::testing::RandomCodec random(config);
  for (const Way& way : ways) {
    if (!filter.wants(way.name) || !has(way.precision)) continue;
    const Codec codec(random.weights(), in(way.precision), way.use);
    dsf::CodecDecoder decoder(codec, kFrames + 2 * kAround);
    time(way.name, [&, frames = way.part] {
      if (frames == 0) decoder.decode_window(view, kAround, kFrames, true);
      for (int64_t first = 0; frames > 0 && first < kFrames; first += frames) {
        decoder.decode_part(view, kAround + first, frames, true);
      }
    });
  }
  for (const int64_t part : {1, 2, 8, 32}) {
    const std::string way = name(fmt::format("streamed_by_{}", part));
    if (!filter.wants(way)) continue;
    const Codec codec(random.weights(), {}, CodecUse::play);
    dsf::StreamDecoder decoder(codec, part);
    time(way, [&] {
      for (int64_t first = 0; first < kFrames; first += part) {
        decoder.decode({codes.data(), {config.n_codebooks, part}});
      }
    });
  }
}

/// Tokens and audio together: frames of the full-size model, and each chunk of them decoded.
void bench_sound(const Size& size, dsf::bench::Filter& filter) {
  constexpr int64_t kFrames = 144;
  const CodecConfig config = config_of(size);
  const dsf::ModelConfig model =
      dsf::bench::config_of(dsf::bench::kModelSizes[0], dsf::ModelClass::streaming);
  struct Way {
    int64_t part;
    Precision precision = Precision::fp32;
  };
  for (const auto& [part, precision] : {Way{8}, Way{36}, Way{144}, Way{144, Precision::bf16}}) {
    const bool bf16 = precision == Precision::bf16;
    const std::string name =
        fmt::format("sound/{}/streamed_by_{}{}", size.name, part, bf16 ? "/bf16" : "");
    if (!filter.wants(name) || !has(precision)) continue;
    const Codec codec(dsf::testing::RandomCodec(config).weights(), in(precision),
                      dsf::CodecUse::play);
    dsf::GenerationOptions options;
    if (bf16) options.weights = dsf::WeightFormat::bf16;
    dsf::bench::Generation generation(model, options, {});
    dsf::StreamDecoder decoder(codec, part);
    std::vector<int32_t> codes(static_cast<size_t>(model.num_codebooks * part));
    const auto draw_and_decode = [&] {
      for (int64_t i = 0; i < part; ++i) {
        const dsf::ConstIndexTensor frame = generation.generator->next(generation.cond.data());
        for (int64_t n = 0; n < model.num_codebooks; ++n) {
          codes[static_cast<size_t>(n * part + i)] = frame[n];
        }
      }
      decoder.decode({codes.data(), {model.num_codebooks, part}});
    };
    // Only the decoder's operations count: the share is of what they alone would take.
    const auto work = [&] {
      for (int64_t first = 0; first < kFrames; first += part) draw_and_decode();
    };
    dsf::bench::time_work(
        name, 2, {flops_per_frame(config) * static_cast<double>(kFrames), 0}, work,
        static_cast<double>(kFrames * config.hop()) / static_cast<double>(config.sample_rate));
    dsf::bench::print_profile(work);
  }
}

void bench_encoding(const Size& size, dsf::bench::Filter& filter) {
  constexpr int64_t kFrames = 128;
  const std::string name = fmt::format("encode/{}/whole", size.name);
  if (!filter.wants(name)) return;
  const CodecConfig config = config_of(size);
  dsf::testing::RandomCodec random(config);
  random.add_encoder();
  const Codec codec(random.weights(), {}, dsf::CodecUse::encode);
  std::vector<float> sound(static_cast<size_t>(kFrames * config.hop()));
  for (size_t i = 0; i < sound.size(); ++i) {
    sound[i] = dsf::to_unit(dsf::random_words({1, 0, 0}, i)[0]) - 0.5F;
  }
  dsf::CodecEncoder encoder(codec, std::ssize(sound));
  const auto work = [&] { encoder.encode(sound, config.n_codebooks, true); };
  dsf::bench::time_work(
      name, 1, {encoder_flops_per_frame(config) * static_cast<double>(kFrames), 0}, work,
      static_cast<double>(sound.size()) / static_cast<double>(config.sample_rate));
  dsf::bench::print_profile(work);
}

}  // namespace

int main(int argc, char** argv) {
  dsf::bench::Filter filter(argc, argv);
  for (const Size& size : dsf::bench::kCodecSizes) {
    bench_size(size, filter);
    bench_encoding(size, filter);
    bench_sound(size, filter);
  }
  return filter.exit_code("codec_bench");
}
