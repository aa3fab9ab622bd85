#include "engine/codec/decode_files.h"

#include <algorithm>
#include <map>
#include <new>
#include <system_error>

#include "engine/codec/dac_decoding.h"
#include "engine/files/output_folder.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

struct Job {
  fs::path input, output;
  DacFile file;
};

/// All .dac files at any depth of a folder, in the order of their names.
std::vector<fs::path> list_folder(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;  // a link that leads nowhere is no file
    if (entry->path().extension() == ".dac" && entry->is_regular_file(unknown)) {
      files.push_back(entry->path());
    }
  }
  if (error) fail("{}: cannot read this folder: {}", folder.string(), error.message());
  if (files.empty()) fail("{}: no .dac files in this folder", folder.string());
  std::ranges::sort(files);
  return files;
}

using Report = std::function<void(const std::string&)>;

/// False where `work` fails with what one file can have: it is reported, and the others go on.
template <class Work>
bool attempt(const Report& report, const Work& work) {
  try {
    work();
    return true;
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    report(error.what());
    return false;
  }
}

/// What becomes what; no file is read yet.
std::vector<Job> list_jobs(const DecodeRequest& request, const Report& report) {
  std::vector<Job> jobs;
  std::map<fs::path, fs::path> inputs;  // by output
  const auto add = [&](const fs::path& input, fs::path name) {
    const fs::path output =
        request.output / name.replace_extension(audio_extension(request.format));
    const auto [other, is_new] = inputs.emplace(output, input);
    if (!is_new) {
      fail_usage("{} and {} would both become {}", other->second.string(), input.string(),
                 output.string());
    }
    jobs.push_back({input, output, {}});
  };
  for (const fs::path& input : request.inputs) {
    std::error_code unknown;  // what cannot be looked at is reported when it is read
    if (!fs::is_directory(input, unknown)) {
      add(input, input.filename());
      continue;
    }
    attempt(report, [&] {
      for (const fs::path& file : list_folder(input)) add(file, file.lexically_relative(input));
    });
  }
  return jobs;
}

int64_t frames_of(const Job& job) {
  return job.file.channels * job.file.frames;
}

/// Raises an Error if the sound that the file announces is more than the format holds.
void check_length(const Codec& codec, const Job& job, AudioFormat format) {
  const DacMetadata& meta = job.file.metadata;
  const double seconds = static_cast<double>(job.file.frames) *
                         static_cast<double>(codec.config().hop()) /
                         static_cast<double>(codec.config().sample_rate);
  const double in_codes = seconds * static_cast<double>(meta.sample_rate);
  check_audio_length(
      job.output, format, static_cast<int>(job.file.channels),
      static_cast<int64_t>(std::min(in_codes, static_cast<double>(meta.original_length))));
}

Audio decode(const Codec& codec, const Job& job, const DecodeProgress& progress) {
  try {
    return decode_dac(codec, job.file, progress);
  } catch (const Error& error) {  // does not know the file's name
    fail("{}: {}", job.input.string(), error.what());
  } catch (const std::bad_alloc&) {
    fail("{}: not enough memory to decode it", job.input.string());
  }
}

/// What is worth knowing about a sound that was written.
std::vector<std::string> remarks(const Job& job, const Audio& audio, AudioFormat format) {
  std::vector<std::string> result;
  if (audio.frames() < job.file.metadata.original_length) {
    result.push_back(fmt::format("{}: {} of {} samples: its codes hold no more",
                                 job.output.string(), audio.frames(),
                                 job.file.metadata.original_length));
  }
  if (const int64_t clipped = count_clipped(audio, format); clipped > 0) {
    result.push_back(fmt::format("{}: {} of {} samples are clipped; --format wavfloat keeps them",
                                 job.output.string(), clipped, audio.samples.size()));
  }
  return result;
}

}  // namespace

DecodeSummary decode_files(const Codec& codec, const DecodeRequest& request, const Report& complain,
                           const std::atomic<bool>& stop) {
  DecodeSummary summary;
  const auto report = [&](const std::string& text) {
    ++summary.failed;
    complain(text);
  };
  std::vector<Job> jobs = list_jobs(request, report);
  prepare_output_folder(request.output);
  std::erase_if(
      jobs, [&](Job& job) { return !attempt(report, [&] { job.file = read_dac(job.input); }); });
  summary.files = static_cast<int64_t>(jobs.size()) + summary.failed;

  int64_t total = 0, done = 0;
  for (const Job& job : jobs) total += frames_of(job);
  Progress progress(request.progress, total);
  const auto report_below_bar = [&](const std::string& text) {
    progress.hide();
    report(text);
  };
  for (size_t i = 0; i < jobs.size() && !stop; ++i) {
    Job& job = jobs[i];
    const std::string status =
        fmt::format("{}/{} {}", i + 1, jobs.size(), job.input.filename().string());
    attempt(report_below_bar, [&] {
      check_length(codec, job, request.format);
      const Audio audio = decode(codec, job, [&](int64_t frames) {
        progress.update(done + frames, status);
        return !stop;
      });
      if (stop) return;
      fs::create_directories(job.output.parent_path());
      write_audio(job.output, audio, request.format);
      ++summary.decoded;
      summary.sound += static_cast<double>(audio.frames()) / audio.sample_rate;
      for (const std::string& remark : remarks(job, audio, request.format)) {
        progress.message(remark);
      }
    });
    done += frames_of(job);
    job.file = {};
  }
  return summary;
}

}  // namespace dsf
