// A decoded second of sound at the official size and at a small one: alone, and, as players and
// long files need it, as parts of a long sequence. One line per work as model_bench prints them
// (seconds per second of sound), then where the time of one call went, by op.
//   codec_bench [FILTER]
#include <fmt/format.h>

#include "bench/codec_sizes.h"
#include "bench/timing.h"
#include "engine/codec/codec_decoder.h"
#include "engine/codec/stream_decoder.h"
#include "kernels/common/profile.h"
#include "tests/random_codec.h"

namespace {

using dsf::Codec;
using dsf::CodecConfig;

using Size = dsf::bench::CodecSize;

/// Multiply-adds counted twice, of one latent frame.
double flops_per_frame(const CodecConfig& config) {
  const auto product = [](int64_t kernel, int64_t inputs, int64_t outputs) {
    return static_cast<double>(kernel * inputs * outputs);
  };
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

void print_profile(const std::function<void()>& work) {
  dsf::profile_start();
  work();
  double total = 0;
  const std::vector<dsf::ProfileEntry> entries = dsf::profile_stop();
  for (const dsf::ProfileEntry& entry : entries) total += entry.seconds;
  for (const dsf::ProfileEntry& entry : entries) {
    fmt::print("#   {:<26} {:>4} calls {:>10.6f} s {:>5.1f} %\n", entry.name, entry.calls,
               entry.seconds, 100 * entry.seconds / total);
  }
}

void bench_size(const Size& size, dsf::bench::Filter& filter) {
  constexpr int64_t kFrames = 128;  // decoded by every work: 1.49 s of sound
  constexpr int64_t kAround = 16;   // more than a part looks at on each side
  const CodecConfig config = config_of(size);
  const auto name = [&](const std::string& way) {
    return fmt::format("decode/{}/{}", size.name, way);
  };
  const std::pair<std::string, int64_t> ways[] = {
      {name("whole"), 0}, {name("parts_of_128"), 128}, {name("parts_of_8"), 8}};
  std::unique_ptr<Codec> codec;  // made when the first work wants it
  const std::vector<int32_t> codes =
      dsf::testing::random_codes(config, config.n_codebooks, kFrames + 2 * kAround);
  const dsf::ConstIndexTensor view(codes.data(), {config.n_codebooks, kFrames + 2 * kAround});
  const double seconds =
      static_cast<double>(kFrames * config.hop()) / static_cast<double>(config.sample_rate);
  const auto time = [&](const std::string& way, const std::function<void()>& work) {
    dsf::bench::time_work(way, 1, {flops_per_frame(config) * static_cast<double>(kFrames), 0}, work,
                          seconds);
    print_profile(work);
  };
  const auto make_codec = [&] {
    if (codec) return;
    codec = std::make_unique<Codec>(dsf::testing::RandomCodec(config).weights());
    fmt::print("# {}: {:.1f} GFLOP per second of sound\n", size.name,
               flops_per_frame(config) * static_cast<double>(kFrames) / seconds / 1e9);
  };
  for (const auto& [way, part] : ways) {
    if (!filter.wants(way)) continue;
    make_codec();
    dsf::CodecDecoder decoder(*codec, kFrames + 2 * kAround);
    time(way, [&, frames = part] {
      if (frames == 0) decoder.decode_window(view, kAround, kFrames, true);
      for (int64_t first = 0; frames > 0 && first < kFrames; first += frames) {
        decoder.decode_part(view, kAround + first, frames, true);
      }
    });
  }
  for (const int64_t part : {1, 2, 8, 32}) {
    const std::string way = name(fmt::format("streamed_by_{}", part));
    if (!filter.wants(way)) continue;
    make_codec();
    dsf::StreamDecoder decoder(*codec, part);
    time(way, [&] {
      for (int64_t first = 0; first < kFrames; first += part) {
        decoder.decode({codes.data(), {config.n_codebooks, part}});
      }
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  dsf::bench::Filter filter(argc, argv);
  for (const Size& size : dsf::bench::kCodecSizes) bench_size(size, filter);
  return filter.exit_code("codec_bench");
}
