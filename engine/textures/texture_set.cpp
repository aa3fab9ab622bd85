#include "engine/textures/texture_set.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <set>
#include <string>
#include <system_error>

#include "engine/files/atomic_file.h"
#include "engine/files/output_folder.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"
#include "kernels/common/parallel.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

// Validation takes stay what they are when more training sounds are asked for.
constexpr uint32_t kFirstValidationTake = 1U << 31U;
constexpr std::array<std::string_view, 2> kSoundFolders = {"train-wav", "val-wav"};
constexpr std::array<std::string_view, 2> kFrames = {"dac-train.csv", "dac-val.csv"};

struct Job {
  TextureTake take;
  std::string name;  // without extension
  bool validation = false;
};

std::string sound_name(const Job& job, const TextureSetRequest& request) {
  return job.name + std::string(audio_extension(request.format));
}

std::string_view folder_of(const Job& job) {
  return kSoundFolders.at(job.validation ? 1 : 0);
}

void check_request(const TextureSetRequest& request) {
  if (request.kinds.empty()) fail_usage("no classes of textures");
  const auto check_count = [](std::string_view what, int64_t count, int64_t least) {
    if (count < least || count > kMostTextures) {
      fail_usage("{} {} sounds of each class; expected {} to {}", count, what, least,
                 kMostTextures);
    }
  };
  check_count("training", request.count, 1);
  check_count("validation", request.validation_count, 0);
  check_texture({request.kinds[0], request.parameter.value_or(0), request.seconds, 0, 0});
}

/// Evenly over [0, 1], with its ends to train on, and without them for validation.
double spread(int64_t index, int64_t count, bool validation) {
  const auto place = static_cast<double>(index), all = static_cast<double>(count);
  if (validation || count == 1) return (place + 0.5) / all;
  return place / (all - 1);
}

/// Take after take, all classes in turn, so that threads with neighbouring jobs are done together.
std::vector<Job> list_jobs(const TextureSetRequest& request) {
  const std::set<TextureKind> kinds(request.kinds.begin(), request.kinds.end());
  std::vector<Job> jobs;
  for (const bool validation : {false, true}) {
    const int64_t count = validation ? request.validation_count : request.count;
    for (int64_t i = 0; i < count; ++i) {
      for (const TextureKind kind : kinds) {
        const double parameter = request.parameter.value_or(spread(i, count, validation));
        const uint32_t first = validation ? kFirstValidationTake : 0;
        const TextureClass& named = texture_class(kind);
        jobs.push_back(
            {{kind, parameter, request.seconds, request.seed, first + static_cast<uint32_t>(i)},
             fmt::format("{}--{}-{:.4f}--x-{:03}", named.class_name, named.parameter, parameter, i),
             validation});
      }
    }
  }
  return jobs;
}

void refuse_other_sounds(const TextureSetRequest& request, const std::vector<Job>& jobs) {
  std::set<fs::path> own;
  for (const Job& job : jobs) {
    own.insert(request.output / folder_of(job) / sound_name(job, request));
  }
  for (const std::string_view name : kSoundFolders) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(request.output / name, absent)) {
      const fs::path extension = entry.path().extension();
      const bool sound = extension == ".wav" || extension == ".flac";
      if (sound && !own.contains(entry.path())) {
        fail_usage(
            "{} is a sound of another set, with which this one would be mixed; name another "
            "folder or remove it",
            entry.path().string());
      }
    }
  }
}

/// A set may be made again, and one that was ended goes on; but sounds of the same names from
/// another seed or of another length are another set. The first that is there stands for all.
void refuse_other_takes(const TextureSetRequest& request, const std::vector<Job>& jobs) {
  constexpr float kRounding = 1.0F / 32768;  // of the coarsest format
  const auto path = [&](const Job& job) {
    return request.output / folder_of(job) / sound_name(job, request);
  };
  const auto there =
      std::ranges::find_if(jobs, [&](const Job& job) { return fs::exists(path(job)); });
  if (there == jobs.end()) return;
  const std::vector<float> old = read_audio(path(*there)).samples;
  const std::vector<float> now = make_texture(there->take).samples;
  const auto same = [&](float a, float b) {
    return std::abs(std::clamp(a, -1.0F, 1.0F) - std::clamp(b, -1.0F, 1.0F)) <= kRounding;
  };
  if (std::ranges::equal(old, now, same)) return;
  fail_usage("{} is there with another seed or length; name another folder or remove it",
             path(*there).string());
}

void write_frame(const TextureSetRequest& request, const std::vector<Job>& jobs, bool validation) {
  std::string text = "Sound File,Full File Name,Class Name,param1\n";
  for (const Job& job : jobs) {
    if (job.validation != validation) continue;
    text += fmt::format("{},{}.dac,{},{}\n", sound_name(job, request), job.name,
                        texture_class(job.take.kind).class_name, job.take.parameter);
  }
  write_file_atomically(request.output / kFrames.at(validation ? 1 : 0), text);
}

}  // namespace

TextureSetSummary write_texture_set(const TextureSetRequest& request,
                                    const std::atomic<bool>& stop) {
  check_request(request);
  const std::vector<Job> jobs = list_jobs(request);
  refuse_other_sounds(request, jobs);
  refuse_other_takes(request, jobs);
  const auto frames = static_cast<int64_t>(std::round(request.seconds * kTextureSampleRate));
  for (const Job& job : {jobs.front(), jobs.back()}) {
    prepare_output_folder(request.output / folder_of(job));
    check_audio_length(request.output / folder_of(job) / sound_name(job, request), request.format,
                       1, frames);
  }

  TextureSetSummary summary;
  Progress progress(request.progress, frames * std::ssize(jobs));
  std::mutex mutex;
  parallel_for(std::ssize(jobs), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end && !stop; ++i) {
      const Job& job = jobs[static_cast<size_t>(i)];
      const Audio audio = make_texture(job.take);
      write_audio(request.output / folder_of(job) / sound_name(job, request), audio,
                  request.format);
      const std::scoped_lock lock(mutex);
      ++summary.sounds;
      summary.seconds += static_cast<double>(audio.frames()) / kTextureSampleRate;
      progress.update(summary.sounds * frames, job.name);
    }
  });
  if (summary.sounds < std::ssize(jobs)) return summary;
  write_frame(request, jobs, false);
  if (request.validation_count > 0) write_frame(request, jobs, true);
  summary.complete = true;
  return summary;
}

}  // namespace dsf
