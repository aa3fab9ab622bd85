#include "engine/codec/codec_config.h"

#include <functional>
#include <numeric>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

// Far beyond any codec there is, and small enough that no product of a few sizes overflows.
constexpr int64_t kMaxSize = 65536;
constexpr int64_t kMaxBlocks = 16;

int64_t product(const std::vector<int64_t>& factors) {
  return std::accumulate(factors.begin(), factors.end(), int64_t{1}, std::multiplies<>());
}

/// One size for all codebooks; `dac` also takes a list with one for each.
int64_t parse_codebook_dim(const PickleValue& value) {
  if (!value.is_list()) return value.as_int();
  const std::vector<int64_t> dims = value.as_ints();
  for (const int64_t dim : dims) {
    if (dim != dims.front()) {
      fail("{}: codebooks of different dimensions ({} and {}) are not supported", value.path(),
           dims.front(), dim);
    }
  }
  return dims.empty() ? 0 : dims.front();
}

}  // namespace

int64_t CodecConfig::hop() const {
  return product(decoder_rates);
}

CodecConfig parse_codec_config(const PickleValue& kwargs, std::string_view file) {
  CodecConfig config;
  config.encoder_dim = kwargs.at("encoder_dim").as_int();
  config.encoder_rates = kwargs.at("encoder_rates").as_ints();
  config.decoder_dim = kwargs.at("decoder_dim").as_int();
  config.decoder_rates = kwargs.at("decoder_rates").as_ints();
  config.n_codebooks = kwargs.at("n_codebooks").as_int();
  config.codebook_size = kwargs.at("codebook_size").as_int();
  config.codebook_dim = parse_codebook_dim(kwargs.at("codebook_dim"));
  config.sample_rate = kwargs.at("sample_rate").as_int();
  const auto latent_dim = kwargs.find("latent_dim");
  if (latent_dim && !latent_dim->is_none()) {
    config.latent_dim = latent_dim->as_int();
  } else if (config.encoder_rates.size() <= kMaxBlocks && config.encoder_dim <= kMaxSize) {
    config.latent_dim = config.encoder_dim << config.encoder_rates.size();
  }
  check_codec_config(config, file);
  return config;
}

void check_codec_config(const CodecConfig& config, std::string_view file) {
  const auto check_size = [file](std::string_view key, int64_t value, int64_t max) {
    if (value < 1 || value > max) fail("{}: {} is {}, expected 1 … {}", file, key, value, max);
  };
  const auto check_rates = [&](std::string_view key, const std::vector<int64_t>& rates) {
    const auto count = static_cast<int64_t>(rates.size());
    if (count < 1 || count > kMaxBlocks) {
      fail("{}: {} has {} entries, expected 1 … {}", file, key, count, kMaxBlocks);
    }
    int64_t hop = 1;
    for (const int64_t rate : rates) {
      check_size(key, rate, kMaxSize);
      hop *= rate;
      check_size(fmt::format("the product of {}", key), hop, kMaxSize);
    }
  };
  check_size("encoder_dim", config.encoder_dim, kMaxSize);
  check_size("decoder_dim", config.decoder_dim, kMaxSize);
  check_size("n_codebooks", config.n_codebooks, 1024);
  check_size("codebook_size", config.codebook_size, kMaxSize);  // codes are 16 bits in a .dac file
  check_size("codebook_dim", config.codebook_dim, kMaxSize);
  check_size("sample_rate", config.sample_rate, 1'000'000);
  check_rates("encoder_rates", config.encoder_rates);
  check_rates("decoder_rates", config.decoder_rates);
  check_size("latent_dim", config.latent_dim, kMaxSize);
  if (product(config.encoder_rates) != config.hop()) {
    fail("{}: the product of encoder_rates is {}, of decoder_rates {}: expected the same", file,
         product(config.encoder_rates), config.hop());
  }
  const auto blocks = static_cast<int64_t>(config.decoder_rates.size());
  if (config.decoder_channels(blocks) < 1) {
    fail("{}: decoder_dim {} cannot be halved in each of {} blocks", file, config.decoder_dim,
         blocks);
  }
}

}  // namespace dsf
