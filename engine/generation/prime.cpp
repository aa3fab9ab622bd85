#include "engine/generation/prime.h"

#include "engine/files/dac_file.h"
#include "engine/generation/generator.h"

namespace dsf {
namespace {

constexpr const char* kNone = "none";
constexpr const char* kRandom = "random";

bool has_start_frame(const ModelConfig& config) {
  return config.model_class == ModelClass::streaming;
}

/// The codes of a file, [frames, N].
std::vector<int32_t> read_frames(const std::string& path, const ModelConfig& config) {
  const DacFile file = read_dac(path);
  if (file.channels != 1) {
    fail("{}: {} channels; what is continued has one", path, file.channels);
  }
  if (file.n_codebooks != config.num_codebooks) {
    fail("{}: {} codebooks, the model has {}", path, file.n_codebooks, config.num_codebooks);
  }
  // Upstream's classes know their beginning only as a full window.
  const int64_t needed = has_start_frame(config) ? 1 : config.lookback;
  if (file.frames < needed) {
    fail("{}: {} frames, too short to be continued: the model needs {}", path, file.frames, needed);
  }
  std::vector<int32_t> codes;
  codes.reserve(file.codes.size());
  for (int64_t t = 0; t < file.frames; ++t) {
    for (int64_t n = 0; n < file.n_codebooks; ++n) {
      const int32_t code = file.codes[static_cast<size_t>(n * file.frames + t)];
      if (code >= config.vocab_size) {
        fail("{}: code {} of codebook {} at frame {}; the model's vocabulary is 0 … {}", path, code,
             n, t, config.vocab_size - 1);
      }
      codes.push_back(code);
    }
  }
  return codes;
}

}  // namespace

void check_prime_sources(const std::vector<std::string>& sources, const ModelConfig& config,
                         int64_t channels) {
  const auto count = static_cast<int64_t>(sources.size());
  if (count > 1 && count != channels) {
    fail_usage("--prime given {} times for {} {}; once for all, or once for each channel", count,
               channels, channels == 1 ? "channel" : "channels");
  }
  for (const std::string& source : sources) {
    if (source == kNone && !has_start_frame(config)) {
      fail_usage(
          "--prime none: {} has no start frame, it needs frames to go on from: --prime random or a "
          ".dac file",
          model_class_name(config.model_class));
    }
    if (count > 1 && (source == kNone || source == kRandom)) {
      fail_usage("--prime {}: stands alone; with --stereo give it once, or two .dac files", source);
    }
  }
}

Prime make_prime(const std::vector<std::string>& sources, const ModelConfig& config,
                 const std::vector<uint64_t>& seeds, int64_t channels) {
  check_prime_sources(sources, config, channels);
  const std::string own = has_start_frame(config) ? kNone : kRandom;
  const std::string& first = sources.empty() ? own : sources.front();
  Prime prime;
  if (first == kNone) return prime;
  const auto streams = static_cast<int64_t>(seeds.size());
  if (first == kRandom) {
    prime.codes = random_prime(config, seeds);
    prime.shape = {streams, config.lookback, config.num_codebooks};
    return prime;
  }
  std::vector<std::vector<int32_t>> files;
  const auto frames_of = [&](const std::vector<int32_t>& codes) {
    return static_cast<int64_t>(codes.size()) / config.num_codebooks;
  };
  for (const std::string& source : sources) {
    files.push_back(read_frames(source, config));
    if (files.back().size() != files.front().size()) {
      fail("{} has {} frames and {} has {}; both channels must go on from the same length",
           sources.front(), frames_of(files.front()), source, frames_of(files.back()));
    }
  }
  prime.continued = frames_of(files.front());
  if (files.size() == 1) {
    prime.codes = std::move(files.front());
    prime.shape = {prime.continued, config.num_codebooks};
    return prime;
  }
  for (int64_t stream = 0; stream < streams; ++stream) {
    const std::vector<int32_t>& codes = files[static_cast<size_t>(stream) % files.size()];
    prime.codes.insert(prime.codes.end(), codes.begin(), codes.end());
  }
  prime.shape = {streams, prime.continued, config.num_codebooks};
  return prime;
}

}  // namespace dsf
