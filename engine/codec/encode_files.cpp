#include "engine/codec/encode_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>
#include <mutex>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/files/output_folder.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 10> kExtensions = {".wav", ".flac", ".ogg",  ".oga", ".opus",
                                                          ".aif", ".aiff", ".aifc", ".au",  ".mp3"};

struct EncodingJob : FileJob {
  int64_t frames = 0;  // of the codec, as far as the file's header tells
};

/// Whether a job's output needs no work any more.
bool is_finished(const FileJob& job, bool mono, const DacEncoder& encoder) {
  std::error_code error;
  const auto written = fs::last_write_time(job.output, error);
  if (error) return false;
  const auto changed = fs::last_write_time(job.input, error);
  if (error || written < changed) return false;
  try {
    const AudioFileSource source(job.input);
    return encoder.made_alike(read_dac(job.output), mono ? 1 : source.channels(),
                              source.sample_rate());
  } catch (const Error&) {
    return false;
  }
}

/// Takes the file's length from its header; an Error where it is no sound.
void look_into(EncodingJob& job, const CodecConfig& config) {
  const AudioFileSource source(job.input);
  const double seconds = static_cast<double>(source.announced_frames()) / source.sample_rate();
  job.frames = std::max<int64_t>(1, std::llround(seconds * static_cast<double>(config.sample_rate) /
                                                 static_cast<double>(config.hop())));
}

/// The work of all threads: what is left to do, and what is told about it.
class Encoding {
 public:
  Encoding(const Codec& codec, const EncodeRequest& request, const Complaint& complain,
           const std::atomic<bool>& stop, const std::vector<EncodingJob>& jobs,
           EncodeSummary& summary)
      : codec_(codec),
        request_(request),
        complain_(complain),
        stop_(stop),
        jobs_(jobs),
        summary_(summary),
        progress_(request.progress,
                  std::transform_reduce(jobs.begin(), jobs.end(), int64_t{0}, std::plus<>(),
                                        [](const EncodingJob& job) { return job.frames; })) {}

  void run() {
    encode_each(codec_, request_.options, jobs_.size(), stop_, [&](DacEncoder& encoder, size_t i) {
      attempt(
          [this](const std::string& text) {
            const std::lock_guard lock(mutex_);
            ++summary_.failed;
            progress_.hide();
            complain_(text);
          },
          [&] { encode(encoder, jobs_[i]); });
    });
  }

 private:
  void encode(DacEncoder& encoder, const EncodingJob& job) {
    AudioFileSource source(job.input);
    MonoMix mix(source);
    int64_t told = 0;
    const auto advance = [&](int64_t read) {  // frames of the source, each of them twice
      const int64_t announced = std::max<int64_t>(1, 2 * source.announced_frames());
      const double share =
          std::min(1.0, static_cast<double>(read) / static_cast<double>(announced));
      const int64_t done =
          std::max(told, static_cast<int64_t>(share * static_cast<double>(job.frames)));
      const std::lock_guard lock(mutex_);
      done_ += done - std::exchange(told, done);
      progress_.update(done_, fmt::format("{}/{} {}", summary_.encoded + 1, jobs_.size(),
                                          job.input.filename().string()));
      return !stop_;
    };
    AudioSource& taken = request_.mono ? static_cast<AudioSource&>(mix) : source;
    const std::optional<DacFile> file =
        with_name(job.input, [&] { return encoder.encode(taken, advance); });
    if (!file) return;
    fs::create_directories(job.output.parent_path());
    write_dac(job.output, *file);
    const std::lock_guard lock(mutex_);
    ++summary_.encoded;
    summary_.sound += static_cast<double>(file->metadata.original_length) /
                      static_cast<double>(file->metadata.sample_rate);
  }

  const Codec& codec_;
  const EncodeRequest& request_;
  const Complaint& complain_;
  const std::atomic<bool>& stop_;
  const std::vector<EncodingJob>& jobs_;
  std::mutex mutex_;  // of all below
  EncodeSummary& summary_;
  Progress progress_;
  int64_t done_ = 0;  // frames of the codec
};

}  // namespace

bool is_sound_file(const fs::path& name) {
  std::string extension = name.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

EncodeSummary encode_files(const Codec& codec, const EncodeRequest& request,
                           const Complaint& complain, const std::atomic<bool>& stop) {
  EncodeSummary summary;
  const DacEncoder encoder(codec, request.options);
  const auto report = [&](const std::string& text) {
    ++summary.failed;
    complain(text);
  };
  prepare_output_folder(request.output);
  std::vector<EncodingJob> jobs;
  std::vector<FileJob> listed = list_file_jobs(request.inputs, request.output,
                                               {is_sound_file, "sound files", ".dac"}, report);
  summary.files = static_cast<int64_t>(listed.size()) + summary.failed;
  for (FileJob& file : listed) {
    EncodingJob job{std::move(file)};
    if (!request.overwrite && is_finished(job, request.mono, encoder)) {
      ++summary.skipped;
    } else if (attempt(report, [&] { look_into(job, codec.config()); })) {
      jobs.push_back(std::move(job));
    }
  }
  Encoding(codec, request, complain, stop, jobs, summary).run();
  return summary;
}

}  // namespace dsf
