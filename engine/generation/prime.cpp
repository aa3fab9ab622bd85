#include "engine/generation/prime.h"

#include <algorithm>

#include "engine/files/counted.h"
#include "engine/files/dac_file.h"
#include "engine/files/dac_frames.h"
#include "engine/generation/generator.h"

namespace dsf {
namespace {

constexpr const char* kNone = "none";
constexpr const char* kRandom = "random";

bool has_start_frame(const ModelConfig& config) {
  return config.model_class == ModelClass::streaming;
}

/// How many frames before a new one it can depend on. Every layer of ours looks Ti frames back from
/// its input, whose codes are of the frame just before the new one and, delayed, of some before;
/// upstream's classes see one window.
int64_t reach(const ModelConfig& config) {
  return has_start_frame(config) ? config.num_layers * config.lookback + 1 + config.codebook_lag()
                                 : config.lookback;
}

/// The codes of a file's first N codebooks, as training takes them, [frames, N].
std::vector<int32_t> read_frames(const std::string& path, const ModelConfig& config) {
  const DacFile file = read_dac(path);
  if (file.channels != 1) {
    fail("{}: {} channels; what is continued has one", path, file.channels);
  }
  if (file.n_codebooks < config.num_codebooks) {
    fail("{}: {}, the model has {}", path, counted(file.n_codebooks, "codebook"),
         config.num_codebooks);
  }
  const auto end = file.codes.begin() + config.num_codebooks * file.frames;
  const auto wrong = std::find_if(file.codes.begin(), end,
                                  [&](uint16_t code) { return code >= config.vocab_size; });
  if (wrong != end) {
    const int64_t at = wrong - file.codes.begin();
    fail("{}: code {} of codebook {} at frame {}; the model's vocabulary is 0 … {}", path, *wrong,
         at / file.frames, at % file.frames, config.vocab_size - 1);
  }
  return codes_by_frame(file, config.num_codebooks);
}

/// The file and, as far as they are needed and there, those that it goes on from.
void read_continued(const std::string& path, const ModelConfig& config, PrimeSources& prime) {
  std::vector<int32_t> codes = read_frames(path, config);
  const auto frames_of = [&](const std::vector<int32_t>& part) {
    return static_cast<int64_t>(part.size()) / config.num_codebooks;
  };
  std::optional<Origin> origin = read_origin(path, frames_of(codes));
  prime.conditionings.push_back(origin ? origin->conditioning : std::nullopt);
  const int64_t first_frame = origin ? origin->next_frame : frames_of(codes);
  while (origin && origin->before && frames_of(codes) < reach(config)) {
    const SourceFile before = *origin->before;
    std::error_code unknown;
    if (!std::filesystem::is_regular_file(before.path, unknown) ||
        identify(before.path).identity != before.identity) {
      break;
    }
    const std::vector<int32_t> earlier = read_frames(before.path.string(), config);
    codes.insert(codes.begin(), earlier.begin(), earlier.end());
    origin = read_origin(before.path, frames_of(earlier));
  }
  // Upstream's classes know their beginning only as a full window.
  const int64_t needed = has_start_frame(config) ? 1 : config.lookback;
  if (frames_of(codes) < needed) {
    fail("{}: {}, too short to be continued: the model needs {}", path,
         counted(frames_of(codes), "frame"), needed);
  }
  if (prime.files.empty()) {
    prime.frames = frames_of(codes);
    prime.first_frame = first_frame;
  } else if (prime.frames != frames_of(codes) || prime.first_frame != first_frame) {
    fail("{} has {} frames up to frame {} and {} has {} up to {}; both channels must go on alike",
         prime.files.front().path.string(), prime.frames, prime.first_frame, path, frames_of(codes),
         first_frame);
  }
  prime.files.push_back(identify(path));
  prime.codes.push_back(std::move(codes));
}

void check_sources(const std::vector<std::string>& sources, const ModelConfig& config,
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

}  // namespace

PrimeSources read_prime(const std::vector<std::string>& sources, const ModelConfig& config,
                        int64_t channels) {
  check_sources(sources, config, channels);
  const std::string own = has_start_frame(config) ? kNone : kRandom;
  const std::string& first = sources.empty() ? own : sources.front();
  PrimeSources prime;
  if (first == kNone) return prime;
  prime.kind = first == kRandom ? PrimeSources::Kind::random : PrimeSources::Kind::files;
  if (first == kRandom) return prime;
  for (const std::string& source : sources) read_continued(source, config, prime);
  return prime;
}

Prime make_prime(const PrimeSources& sources, const ModelConfig& config,
                 const std::vector<uint64_t>& seeds) {
  const auto streams = static_cast<int64_t>(seeds.size());
  switch (sources.kind) {
    case PrimeSources::Kind::none:
      return {};
    case PrimeSources::Kind::random:
      return {random_prime(config, seeds), {streams, config.lookback, config.num_codebooks}};
    case PrimeSources::Kind::files:
      break;
  }
  if (sources.codes.size() == 1) {
    return {sources.codes.front(), {sources.frames, config.num_codebooks}};
  }
  Prime prime{{}, {streams, sources.frames, config.num_codebooks}};
  for (size_t stream = 0; stream < seeds.size(); ++stream) {
    const std::vector<int32_t>& codes = sources.codes[stream % sources.codes.size()];
    prime.codes.insert(prime.codes.end(), codes.begin(), codes.end());
  }
  return prime;
}

}  // namespace dsf
