#include "engine/live/live_gain.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "engine/audio/loudness.h"
#include "engine/audio/peak.h"
#include "engine/codec/dac_decoding.h"
#include "engine/files/atomic_file.h"
#include "engine/generation/file_identity.h"
#include "engine/generation/generate.h"
#include "kernels/common/parallel.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr double kMeasuredSeconds = 8;  // of all classes together
constexpr size_t kMostClasses = 16;     // of many, evenly chosen
constexpr double kLargestGain = 60;     // dB, either way

/// Where the gain of these two files is kept; empty where there is no such place. The 1 is of how
/// it is measured.
fs::path kept_gain(const fs::path& model_file, const fs::path& codec_file) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (cache != nullptr && fs::path(cache).is_absolute()) {
    folder = cache;
  } else if (home != nullptr && fs::path(home).is_absolute()) {
    folder = fs::path(home) / ".cache";
  } else {
    return {};
  }
  return folder / "dsf" /
         fmt::format("gain1-{}-{}.txt", identify(model_file).identity.hash,
                     identify(codec_file).identity.hash);
}

std::optional<double> read_gain(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(32, '\0');
  stream.read(text.data(), std::ssize(text));
  double gain = 0;
  const char* end = text.data() + stream.gcount();
  const auto [rest, error] = std::from_chars(text.data(), end, gain);
  if (error != std::errc() || rest == end || *rest != '\n') return {};
  if (!(std::abs(gain) <= kLargestGain)) return {};
  return gain;
}

void keep_gain(const fs::path& file, double gain) {
  try {
    fs::create_directories(file.parent_path());
    write_file_atomically(file, fmt::format("{}\n", gain));
  } catch (const std::exception&) {  // a full or foreign folder: it is measured again next time
  }
}

}  // namespace

double measure_live_gain(TrainedModel& model, const Codec& codec, const std::atomic<bool>& stop) {
  const CodeTiming timing(codec);
  const ThreadLimit limit(1);  // see ThreadChoice
  const std::vector<std::string>& classes = model.info.class_names;
  const size_t measured = std::clamp<size_t>(classes.size(), 1, kMostClasses);
  std::vector<float> samples;
  for (size_t i = 0; i < measured; ++i) {
    GenerationRequest request;
    if (!classes.empty()) request.class_name = classes[i * classes.size() / measured];
    request.duration = kMeasuredSeconds / static_cast<double>(measured);
    const GenerationPlan plan = plan_generation(model.info, request, timing.frames_per_second());
    const Prime prime = make_prime(read_prime({}, model.info.config, 1), model.info.config, {0});
    GenerationOptions options;
    options.sampling = model.info.sampling;
    const std::vector<DacFile> files = generate(
        codec.context(), model, plan.conditioning, options, prime, timing, [](int64_t) {}, stop);
    if (stop) return 0;
    const std::vector<float> sound = decode_channel(codec, files.front(), 0);
    samples.insert(samples.end(), sound.begin(), sound.end());
  }
  const auto rate = static_cast<int>(codec.config().sample_rate);
  const double loudness = integrated_loudness(samples, 1, rate);
  if (loudness <= kMinLoudness) return 0;
  const double gain = kGeneratedLoudness - loudness;
  for (float& sample : samples) sample *= gain_factor(gain);
  return std::clamp(gain + limit_peak(samples, kLiveCeiling), -kLargestGain, kLargestGain);
}

double live_gain(TrainedModel& model, const fs::path& model_file, const Codec& codec,
                 const fs::path& codec_file, const std::function<void()>& measuring,
                 const std::atomic<bool>& stop) {
  const fs::path file = kept_gain(model_file, codec_file);
  if (!file.empty()) {
    if (const auto kept = read_gain(file)) return *kept;
  }
  if (measuring) measuring();
  const double gain = measure_live_gain(model, codec, stop);
  if (!stop && !file.empty()) keep_gain(file, gain);
  return gain;
}

}  // namespace dsf
