#include "engine/codec/decode_files.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "engine/codec/dac_decoding.h"
#include "engine/files/output_folder.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

struct DecodingJob : FileJob {
  DacFile file;
};

int64_t frames_of(const DecodingJob& job) {
  return job.file.channels * job.file.frames;
}

/// Raises an Error if the sound that the file announces is more than the format holds.
void check_length(const Codec& codec, const DecodingJob& job, AudioFormat format) {
  const DacMetadata& meta = job.file.metadata;
  const double seconds = static_cast<double>(job.file.frames) *
                         static_cast<double>(codec.config().hop()) /
                         static_cast<double>(codec.config().sample_rate);
  const double in_codes = seconds * static_cast<double>(meta.sample_rate);
  check_audio_length(
      job.output, format, static_cast<int>(job.file.channels),
      static_cast<int64_t>(std::min(in_codes, static_cast<double>(meta.original_length))));
}

/// Decodes a file and writes its sound; nothing where `stop` ended it.
std::optional<WrittenAudio> decode(const Codec& codec, const DecodingJob& job,
                                   const DecodeRequest& request, const std::atomic<bool>& stop,
                                   const std::function<void(int64_t frames)>& advance) {
  check_length(codec, job, request.format);
  SamplesInFile samples(request.output, job.output.string());
  const auto sound = stream_dac(codec, job.file, samples, [&](int64_t frames) {
    advance(frames);
    return !stop;
  });
  if (!sound) return std::nullopt;
  fs::create_directories(job.output.parent_path());
  return write_audio(job.output, *sound, request.format, [&](int64_t) { return !stop; });
}

/// What is worth knowing about a sound that was written.
std::vector<std::string> remarks(const DecodingJob& job, const WrittenAudio& written) {
  std::vector<std::string> result;
  if (written.frames < job.file.metadata.original_length) {
    result.push_back(fmt::format("{}: {} of {} samples: its codes hold no more",
                                 job.output.string(), written.frames,
                                 job.file.metadata.original_length));
  }
  if (written.clipped > 0) {
    result.push_back(fmt::format("{}: {} of {} samples are clipped; --format wavfloat keeps them",
                                 job.output.string(), written.clipped,
                                 written.frames * job.file.channels));
  }
  return result;
}

}  // namespace

DecodeSummary decode_files(const Codec& codec, const DecodeRequest& request,
                           const Complaint& complain, const std::atomic<bool>& stop) {
  DecodeSummary summary;
  const auto report = [&](const std::string& text) {
    ++summary.failed;
    complain(text);
  };
  const FileRules rules{[](const fs::path& name) { return name.extension() == ".dac"; },
                        ".dac files", std::string(audio_extension(request.format))};
  std::vector<DecodingJob> jobs;
  for (FileJob& job : list_file_jobs(request.inputs, request.output, rules, report)) {
    jobs.push_back({std::move(job), {}});
  }
  prepare_output_folder(request.output);
  std::erase_if(jobs, [&](DecodingJob& job) {
    return !attempt(report, [&] { job.file = read_dac(job.input); });
  });
  summary.files = static_cast<int64_t>(jobs.size()) + summary.failed;

  int64_t total = 0, done = 0;
  for (const DecodingJob& job : jobs) total += frames_of(job);
  Progress progress(request.progress, total);
  const auto report_below_bar = [&](const std::string& text) {
    progress.hide();
    report(text);
  };
  for (size_t i = 0; i < jobs.size() && !stop; ++i) {
    DecodingJob& job = jobs[i];
    const std::string status =
        fmt::format("{}/{} {}", i + 1, jobs.size(), job.input.filename().string());
    attempt(report_below_bar, [&] {
      const auto written = with_name(
          job.input,
          [&] {
            return decode(codec, job, request, stop,
                          [&](int64_t frames) { progress.update(done + frames, status); });
          },
          {job.output});
      if (!written) return;
      ++summary.decoded;
      summary.sound +=
          static_cast<double>(written->frames) / static_cast<double>(job.file.metadata.sample_rate);
      for (const std::string& remark : remarks(job, *written)) {
        progress.message(remark);
      }
    });
    done += frames_of(job);
    job.file = {};
  }
  return summary;
}

}  // namespace dsf
