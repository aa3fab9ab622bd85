#include "engine/codec/evaluate_files.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <tuple>

#include "engine/audio/resampled_source.h"
#include "engine/codec/encode_files.h"
#include "engine/files/counted.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kFramesCompared = 65536;
constexpr int kMostChannels = 5;  // of SoundComparison

int64_t count_rest(AudioSource& source) {
  int64_t frames = 0;
  for (auto part = source.read(kFramesCompared); !part.empty();
       part = source.read(kFramesCompared)) {
    frames += static_cast<int64_t>(part.size()) / source.channels();
  }
  return frames;
}

/// Reads both until one ends, whose end the other is cut to.
SoundDistance compare_aligned(AudioSource& reference, AudioSource& other,
                              std::vector<std::string>& remarks) {
  const int channels = reference.channels(), rate = reference.sample_rate();
  SoundComparison comparison(channels, rate);
  int64_t common = 0, longer = 0, longer_other = 0;
  for (;;) {
    const auto a = reference.read(kFramesCompared);
    const auto b = other.read(kFramesCompared);
    const size_t size = std::min(a.size(), b.size());
    comparison.add(a.first(size), b.first(size));
    common += static_cast<int64_t>(size) / channels;
    if (a.size() == b.size() && !a.empty()) continue;
    longer = static_cast<int64_t>(a.size() - size) / channels + count_rest(reference);
    longer_other = static_cast<int64_t>(b.size() - size) / channels + count_rest(other);
    break;
  }
  if (common == 0) {
    fail("there is no sound in {}", longer > 0         ? "it"
                                    : longer_other > 0 ? "the reference"
                                                       : "both");
  }
  if (longer + longer_other > 0) {
    remarks.push_back(
        fmt::format("{} is {:.3f} s longer ({} of {} samples); that is left out",
                    longer > 0 ? "the reference" : "it",
                    static_cast<double>(longer + longer_other) / static_cast<double>(rate),
                    longer + longer_other, common + longer + longer_other));
  }
  return comparison.finish();
}

struct FilePair {
  std::string name;
  fs::path reference, other;
  int64_t frames = 0;  // of the reference, as its header tells
};

/// The sound files of a folder by their names without extension.
std::map<std::string, fs::path> files_by_name(const fs::path& folder) {
  std::map<std::string, fs::path> result;
  const auto stop = [](const std::string& text) { throw Error(text); };
  for (const FileJob& job :
       list_file_jobs({folder}, "", {is_sound_file, "sound files", "", "be paired as"}, stop)) {
    result.emplace(job.output.generic_string(), job.input);
  }
  return result;
}

std::vector<FilePair> list_pairs(const EvaluateRequest& request, Evaluation& evaluation) {
  for (const fs::path& path : {request.reference, request.other}) {
    std::error_code error;  // what cannot be looked at is reported when it is read
    if (fs::status(path, error).type() == fs::file_type::not_found) {
      fail("{}: there is no such file or folder", path.string());
    }
  }
  const bool folder = fs::is_directory(request.reference);
  if (folder != fs::is_directory(request.other)) {
    const auto& [one, file] = folder ? std::tie(request.reference, request.other)
                                     : std::tie(request.other, request.reference);
    fail_usage("{} is a folder and {} is none: expected two folders or two sound files",
               one.string(), file.string());
  }
  if (!folder) {
    return {{request.other.filename().string(), request.reference, request.other}};
  }
  std::vector<FilePair> pairs;
  const auto references = files_by_name(request.reference);
  const auto others = files_by_name(request.other);
  for (const auto& [name, file] : references) {
    const auto found = others.find(name);
    if (found == others.end()) {
      evaluation.unpaired.push_back(file.string());
    } else {
      pairs.push_back({name, file, found->second});
    }
  }
  for (const auto& [name, file] : others) {
    if (!references.contains(name)) evaluation.unpaired.push_back(file.string());
  }
  if (pairs.empty()) {
    fail(
        "no sound file of {} has a partner in {}: files are paired by their place and their name "
        "without extension; {} is the first without",
        request.reference.string(), request.other.string(), evaluation.unpaired.front());
  }
  return pairs;
}

/// Sets each pair's frames, as far as they are known, and gives their sum.
int64_t count_frames(std::vector<FilePair>& pairs) {
  int64_t total = 0;
  for (FilePair& pair : pairs) {
    attempt([](const std::string&) {},  // told when it is compared
            [&] { pair.frames = AudioFileSource(pair.reference).announced_frames(); });
    total += pair.frames;
  }
  return total;
}

/// Errors begin with the name of the file that they are about, those about both with the other's.
Evaluation::Pair compare(const FilePair& pair) {
  const auto work = [&] {
    AudioFileSource reference(pair.reference), other(pair.other);
    Evaluation::Pair result{pair.name, {}, {}};
    result.distance = compare_sounds(reference, other, result.remarks);
    return result;
  };
  return with_name(pair.other, work, {pair.reference});
}

}  // namespace

SoundDistance compare_sounds(AudioSource& reference, AudioSource& other,
                             std::vector<std::string>& remarks) {
  MonoMix mixed_reference(reference), mixed_other(other);
  const int channels = reference.channels(), others = other.channels();
  const bool mix = channels != others || channels > kMostChannels;
  if (mix) {
    remarks.push_back(channels != others
                          ? fmt::format("{}, the reference has {}; both are mixed down to "
                                        "one",
                                        counted(others, "channel"), channels)
                          : fmt::format("{} channels, which are mixed down to one", channels));
  }
  AudioSource& a = mix ? static_cast<AudioSource&>(mixed_reference) : reference;
  AudioSource& b = mix ? static_cast<AudioSource&>(mixed_other) : other;
  if (a.sample_rate() == b.sample_rate()) return compare_aligned(a, b, remarks);
  remarks.push_back(
      fmt::format("{} Hz, resampled to the reference's {}", b.sample_rate(), a.sample_rate()));
  ResampledSource resampled(b, a.sample_rate());
  return compare_aligned(a, resampled, remarks);
}

Evaluation evaluate_files(const EvaluateRequest& request, const Complaint& complain,
                          const std::atomic<bool>& stop) {
  Evaluation evaluation;
  std::vector<FilePair> pairs = list_pairs(request, evaluation);
  std::vector<std::optional<Evaluation::Pair>> results(pairs.size());
  Progress progress(request.progress, count_frames(pairs));
  std::mutex mutex;  // of all that is told and counted
  int64_t done = 0;
  for_each_file(pairs.size(), true, stop, [&](size_t, size_t i) {
    attempt(
        [&](const std::string& text) {
          const std::lock_guard lock(mutex);
          ++evaluation.failed;
          progress.hide();
          complain(text);
        },
        [&] { results[i] = compare(pairs[i]); });
    const std::lock_guard lock(mutex);
    progress.update(done += pairs[i].frames, pairs[i].name);
  });
  for (auto& result : results) {
    if (result) evaluation.pairs.push_back(std::move(*result));
  }
  return evaluation;
}

SoundDistance mean_distance(const std::vector<Evaluation::Pair>& pairs) {
  std::vector<SoundDistance> distances;
  distances.reserve(pairs.size());
  for (const Evaluation::Pair& pair : pairs) distances.push_back(pair.distance);
  return mean_distance(distances);
}

}  // namespace dsf
