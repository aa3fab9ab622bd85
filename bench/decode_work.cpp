#include <memory>

#include "bench/codec_sizes.h"
#include "bench/model_works.h"
#include "engine/codec/codec_decoder.h"
#include "tests/random_codec.h"

namespace dsf::bench {
namespace {

constexpr int64_t kFrames = 430;  // of a call: 5 s of sound, a training sequence's

struct Decoding {
  Codec codec;
  std::vector<int32_t> codes;
  CodecDecoder decoder;

  Decoding(const CodecConfig& config, const Context& ctx)
      : codec(testing::RandomCodec(config).weights(), ctx),
        codes(testing::random_codes(config, config.n_codebooks, kFrames)),
        decoder(codec, kFrames) {}
  void run() {
    const auto codebooks = static_cast<int64_t>(codes.size()) / kFrames;
    decoder.decode({codes.data(), {codebooks, kFrames}});
  }
};

}  // namespace

ModelWork decode_work() {
  const CodecSize& size = kCodecSizes[0];
  const CodecConfig config = config_of(size);
  ModelWork work;
  work.name = fmt::format("decode/{}", size.name);
  work.sound =
      static_cast<double>(kFrames * config.hop()) / static_cast<double>(config.sample_rate);
  work.gpu_only = true;  // codec_bench is the CPU's
  work.prepare = [config](const Context& ctx) -> std::function<void()> {
    const auto decoding = std::make_shared<Decoding>(config, ctx);
    return [decoding] { decoding->run(); };
  };
  return work;
}

}  // namespace dsf::bench
