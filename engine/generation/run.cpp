#include "engine/generation/run.h"

#include <chrono>

#include "engine/files/counted.h"
#include "engine/files/output_folder.h"
#include "engine/files/quote.h"
#include "engine/generation/chosen_codec.h"
#include "engine/generation/continued_conditioning.h"
#include "engine/generation/output.h"
#include "engine/model/sampling.h"
#include "engine/training/run_folder.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kCodesAreWhole =
    "what is in its .dac is whole, and dsf_codec decode makes sound of it";

/// Streams that are generated at once: bounds memory; wider batches gain little.
int64_t streams_per_batch(const Context& ctx) {
  return ctx.device == Device::cpu ? 32 : 512;
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void check_identity(const SourceFile& found, const FileIdentity& expected,
                    const fs::path& sidecar) {
  if (found.identity == expected) return;
  fail("{}: not the file that {} was made with: {} bytes, hash {}; expected {} bytes, hash {}",
       found.path.string(), sidecar.string(), found.identity.bytes, found.identity.hash,
       expected.bytes, expected.hash);
}

/// That a repeated run finds what it had.
void check_expected(const GenerationRun& run, const ExpectedSources& expected) {
  const std::string sidecar = expected.sidecar.string();
  check_identity(run.model, expected.model, expected.sidecar);
  if (run.codec.has_value() != expected.codec.has_value()) {
    fail_usage("{}: was made {} a codec", sidecar, expected.codec ? "with" : "without");
  }
  if (run.codec) check_identity(*run.codec, *expected.codec, expected.sidecar);
  if (run.prime.files.size() != expected.primes.size()) {
    fail("{}: it goes on from {}, expected {}", sidecar, counted(run.prime.files.size(), "file"),
         expected.primes.size());
  }
  for (size_t i = 0; i < expected.primes.size(); ++i) {
    check_identity(run.prime.files[i], expected.primes[i], expected.sidecar);
  }
  if (run.prime.frames != expected.primed_frames || run.prime.first_frame != expected.first_frame) {
    fail(
        "{}: goes on at frame {} after {} known ones, expected frame {} after {}: are the files "
        "before, and their .json, still where they were?",
        sidecar, run.prime.first_frame, run.prime.frames, expected.first_frame,
        expected.primed_frames);
  }
}

/// The loop that the plan's conditioning becomes, which it makes periodic.
void plan_the_loop(GenerationRun& run, const ModelConfig& config, const Codec& codec) {
  const int64_t per_second = run.timing.frames_per_second();
  run.blended = make_periodic(run.plan.conditioning, per_second);
  const DecoderGeometry::Reach& reach = codec.geometry().reach(true);
  run.loop = plan_loop(run.plan.conditioning.frames, per_second, config.lookback, reach.before,
                       reach.after);
}

/// A run, everything checked that can be before the first frame.
class Generation {
 public:
  Generation(const Context& ctx, const GenerationJob& job);
  GenerationOutcome run(const std::atomic<bool>& stop);

 private:
  /// Draws and writes the variations from `first` up to `end`; false where `stop` ended it.
  bool run_batch(int64_t first, int64_t end, const std::atomic<bool>& stop);
  bool write(int64_t variation, const std::vector<Take>& takes, const std::atomic<bool>& stop);
  std::string summary() const;

  Context ctx_;
  fs::path folder_, checkpoint_;
  TrainedModel model_;
  std::optional<Codec> codec_;
  std::string silence_;                           // why there is none
  std::function<void(const std::string&)> warn_;  // may be empty
  GenerationRun run_;
  Conditioning conditioning_;       // of all that is drawn
  std::vector<std::string> names_;  // of the variations' files
  std::optional<Progress> progress_;
  Clock::time_point begin_;
  double generating_ = 0;  // s
  int64_t done_ = 0;       // frames of all streams: drawn, and with a codec decoded
  int64_t written_ = 0;    // variations, with all their files
};

Generation::Generation(const Context& ctx, const GenerationJob& job)
    : ctx_(ctx),
      folder_(job.folder),
      checkpoint_(choose_checkpoint(job.model, job.checkpoint)),
      model_(read_model(checkpoint_)),
      warn_(job.warn) {
  const GenerationRequest& request = job.request;
  const ChosenCodec chosen = choose_codec({job.codec, job.without_codec}, model_.info);
  const fs::path& codec = chosen.file;
  if (request.loop && codec.empty()) {
    fail_usage("--loop joins sound, not codes: {}", chosen.absent);
  }
  if (codec.empty()) silence_ = chosen.absent;
  const ModelConfig& config = model_.info.config;
  check_weight_format(request.weights, config, ctx);
  run_.title = job.title.empty() ? title_of(job.model) : job.title;
  run_.model = identify(checkpoint_);
  run_.device = ctx.device;
  run_.precision = ctx.precision;
  run_.format = job.format;
  run_.request = request;
  if (!codec.empty()) {
    codec_ = Codec::load(codec, ctx);
    run_.codec = identify(codec);
    run_.timing = CodeTiming(*codec_);
    check_codec(run_.codec->path, config, codec_->config());
  }
  run_.prime = read_prime(request.prime, config, request.channels());
  ContinuedConditioning continued;
  if (!job.expected) continued = continue_conditioning(model_.info, run_.prime, run_.request);
  if (!continued.taken && !continued.text.empty() && warn_) warn_(continued.text);
  run_.plan = plan_generation(model_.info, run_.request, run_.timing.frames_per_second());
  if (job.expected) check_expected(run_, *job.expected);
  if (warn_) {
    std::ranges::for_each(unusual_parameters(model_.info.parameter_names, run_.plan.conditioning),
                          warn_);
  }
  if (request.loop) plan_the_loop(run_, config, *codec_);
  conditioning_ =
      run_.loop ? repeat(run_.plan.conditioning, run_.loop->drawn) : run_.plan.conditioning;
  check_output_folder(folder_);
  for (int64_t i = 0; i < request.count; ++i) {
    names_.push_back(free_output_name(folder_, run_, model_.info, request.seeds(i).front()));
  }
  if (codec_) {  // a WAV has its limit, which days of sound pass
    check_audio_length(folder_ / (names_.front() + std::string(audio_extension(run_.format))),
                       run_.format, request.channels(),
                       run_.plan.conditioning.frames * run_.timing.hop);
  }
  const int64_t drawn = conditioning_.frames * request.channels() * request.count;
  progress_.emplace(job.progress, codec_ ? 2 * drawn : drawn);
  for (const std::string& line : job.opening) progress_->message(line);
  progress_->message(
      fmt::format("{}: epoch {}, its codes drawn {}", checkpoint_.string(), model_.info.epoch,
                  describe(request.sampling.over(model_.info.sampling), config.vocab_size)));
  if (continued.taken) progress_->message(continued.text);
}

GenerationOutcome Generation::run(const std::atomic<bool>& stop) {
  begin_ = Clock::now();
  const int64_t count = run_.request.count;
  const int64_t per_batch = streams_per_batch(ctx_) / run_.request.channels();
  for (int64_t first = 0; first < count; first += per_batch) {
    const bool whole = run_batch(first, std::min(count, first + per_batch), stop);
    if (!whole && written_ < count) {
      progress_->message(
          fmt::format("stopped: {} of {} written", written_, counted(count, "sound")));
      return GenerationOutcome::stopped;
    }
  }
  progress_->message(summary());
  if (!codec_ && warn_) {
    warn_(
        fmt::format("no sound: {}; the .dac can be decoded later with dsf_codec decode", silence_));
  }
  return codec_ ? GenerationOutcome::done : GenerationOutcome::done_without_sound;
}

bool Generation::run_batch(int64_t first, int64_t end, const std::atomic<bool>& stop) {
  const GenerationRequest& request = run_.request;
  GenerationOptions options{
      request.sampling.over(model_.info.sampling), {}, run_.prime.first_frame};
  options.weights = request.weights;
  for (int64_t i = first; i < end; ++i) {
    for (const uint64_t seed : request.seeds(i)) options.seeds.push_back(seed);
  }
  const auto streams = static_cast<int64_t>(options.seeds.size());
  const auto begin = Clock::now();
  std::vector<DacFile> files = generate(
      ctx_, model_, conditioning_, options,
      make_prime(run_.prime, model_.info.config, options.seeds), run_.timing,
      [&](int64_t frames) { progress_->update(done_ + frames * streams, "generating"); }, stop);
  generating_ += seconds_since(begin);
  if (stop) return false;
  done_ += conditioning_.frames * streams;
  size_t stream = 0;
  for (int64_t variation = first; variation < end; ++variation) {
    std::vector<Take> takes;
    for (int64_t channel = 0; channel < request.channels(); ++channel, ++stream) {
      takes.push_back({options.seeds[stream], std::move(files[stream]), {}});
      if (run_.loop) takes.back().seam = find_seam(takes.back().drawn, *run_.loop);
    }
    if (!write(variation, takes, stop)) return false;
  }
  return true;
}

bool Generation::write(int64_t variation, const std::vector<Take>& takes,
                       const std::atomic<bool>& stop) {
  const auto decoded = [&](int64_t frames) {
    progress_->update(done_ + frames, "decoding");
    return !stop;
  };
  const std::string& name = names_[static_cast<size_t>(variation)];
  prepare_output_folder(folder_);
  std::vector<fs::path> files;
  try {
    files = write_variation(folder_, name, run_, model_.info, takes, codec_ ? &*codec_ : nullptr,
                            decoded);
  } catch (const Error& error) {
    if (!codec_ || !fs::exists(folder_ / (name + ".json"))) throw;  // written after the codes
    fail("{}; {}", error.what(), kCodesAreWhole);
  }
  for (const fs::path& file : files) progress_->message("wrote " + file.string());
  if (files.back().extension() == ".json") {
    progress_->message(fmt::format("stopped before its sound was written; {}", kCodesAreWhole));
  } else {
    ++written_;
  }
  if (codec_) done_ += conditioning_.frames * run_.request.channels();
  return !stop;
}

std::string Generation::summary() const {
  const int64_t files = run_.request.count;
  const double heard = run_.timing.seconds(run_.plan.conditioning.frames * files);
  const double total = seconds_since(begin_);
  return fmt::format(
      "{}{} in {:.2f} s ({:.1f} × real time), with decoding and files {:.2f} s ({:.1f} × "
      "real time)",
      files > 1 ? fmt::format("{} variations, ", files) : "",
      counted(conditioning_.frames * run_.request.channels() * files, "frame"), generating_,
      heard / generating_, total, heard / total);
}

}  // namespace

GenerationOutcome run_generation(const Context& ctx, const GenerationJob& job,
                                 const std::atomic<bool>& stop) {
  return Generation(ctx, job).run(stop);
}

}  // namespace dsf
