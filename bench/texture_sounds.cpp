#include "bench/texture_sounds.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/audio/audio_source.h"
#include "engine/codec/codec_location.h"
#include "engine/codec/dac_decoding.h"
#include "engine/codec/dac_encoding.h"
#include "engine/codec/file_jobs.h"
#include "engine/files/bundled_data.h"
#include "engine/generation/generate.h"
#include "engine/training/run_folder.h"
#include "kernels/common/checks.h"

namespace dsf::bench {
namespace {

namespace fs = std::filesystem;

fs::path model_file(const TextureSource& source) {
  if (!source.model.empty()) return choose_checkpoint(source.model, {});
  if (!is_bundled(bundled_model())) fail_usage("{}", describe_missing(bundled_model()));
  return bundled_model();
}

fs::path codec_file(const TextureSource& source, const CheckpointInfo& model) {
  if (source.codec.empty() && model.codec.empty()) {
    fail_usage("the model does not say whose codes it learned: --codec FILE does");
  }
  return find_codec(source.codec.empty() ? fs::path(model.codec) : source.codec);
}

}  // namespace

void add_source_options(CLI::App& app, TextureSource& source) {
  app.add_option("--model", source.model,
                 "A run's folder or a checkpoint (default: the model that comes with dsf)");
  app.add_option("--codec", source.codec, "A file, bundled or official (default: the model's)");
  app.add_option("--top-n", source.sampling.top_n,
                 "Draw from so many likeliest codes (default: as the model says)")
      ->check(CLI::Range(1, 65536));
  app.add_option("--temperature", source.sampling.temperature,
                 "Of the draws (default: as the model says)")
      ->check(CLI::Range(0.01, 100.0));
  app.add_option("--min-p", source.sampling.min_p,
                 "Leave out codes less likely than that times the likeliest (default: as the model "
                 "says)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--weights", source.weights, "What the model's are kept in: fp32, bf16 or int8")
      ->capture_default_str();
}

TextureModel::TextureModel(const TextureSource& source)
    : model_(read_model(model_file(source))),
      codec_(Codec::load(codec_file(source, model_.info), {}, CodecUse::both)),
      timing_(codec_),
      sampling_(source.sampling.over(model_.info.sampling)),
      weights_(parse_weight_format(source.weights, "--weights")) {
  const ModelConfig& config = model_.info.config;
  check_weight_format(weights_, config, {});
  if (model_.info.parameter_names.size() != 1) {
    fail_usage("the model has {} parameters; those of dsf_textures have 1",
               model_.info.parameter_names.size());
  }
  if (codec_.config().n_codebooks < config.num_codebooks ||
      codec_.config().codebook_size < config.vocab_size) {
    fail_usage(
        "the codec does not know the model's codes: it has {} codebooks of {}, the model "
        "{} of {}",
        codec_.config().n_codebooks, codec_.config().codebook_size, config.num_codebooks,
        config.vocab_size);
  }
  description_ = fmt::format(
      "{}, epoch {}, weights in {}; codec {}; from the {} likeliest codes at temperature {}, min-p "
      "{}",
      source.model.empty() ? "the bundled model" : source.model.string(), model_.info.epoch,
      name_of(weights_), codec_name(codec_file(source, model_.info)), sampling_.top_n,
      sampling_.temperature, sampling_.min_p);
}

std::vector<Audio> TextureModel::generate(TextureKind kind, double parameter, double seconds,
                                          const std::vector<uint64_t>& seeds) const {
  const auto samples =
      static_cast<size_t>(std::lround(seconds * static_cast<double>(timing_.sample_rate)));
  const auto hop = static_cast<size_t>(timing_.hop);
  const auto frames =
      static_cast<int64_t>((samples + static_cast<size_t>(timing_.missing)) / hop + 1);
  const CheckpointInfo& info = model_.info;
  const int64_t index = find_class(info.class_names, std::string(texture_class(kind).class_name));
  const Conditioning conditioning =
      make_morph("constant", frames, info.class_names, info.parameter_names, index,
                 {{info.parameter_names.front(), static_cast<float>(parameter)}});
  const Prime prime = make_prime(read_prime({}, info.config, 1), info.config, seeds);
  const std::atomic<bool> stop = false;
  GenerationOptions options{sampling_, seeds};
  options.weights = weights_;
  const std::vector<DacFile> files = dsf::generate(
      {}, model_, conditioning, options, prime, timing_, [](int64_t) {}, stop);
  std::vector<Audio> sounds;
  for (const DacFile& file : files) {
    sounds.push_back(decode_dac(codec_, file));
    DSF_CHECK(sounds.back().samples.size() >= samples, "{} samples", sounds.back().samples.size());
    sounds.back().samples.resize(samples);
  }
  return sounds;
}

Audio TextureModel::through_codec(const Audio& sound) const {
  EncodeOptions options;
  options.n_codebooks = model_.info.config.num_codebooks;
  // In one piece, as the sounds of the data set were: windows would be joined at seams.
  options.window_seconds = static_cast<double>(sound.frames()) / sound.sample_rate;
  DacEncoder encoder(codec_, options);
  AudioView view(sound);
  return decode_dac(codec_, *encoder.encode(view));
}

void for_each_job(const std::string& what, size_t count, const std::function<void(size_t)>& work) {
  const std::atomic<bool> stop = false;
  std::atomic<size_t> done = 0;
  for_each_file(count, true, stop, [&](size_t, size_t index) {
    work(index);
    fmt::print(stderr, "{}: {} of {}\n", what, ++done, count);
  });
}

int timed(const std::filesystem::path& plot, const std::string& shows,
          const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  fmt::print("\n{:.0f} s; {} shows {}.\n", elapsed.count(), plot.string(), shows);
  return 0;
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  double x_mean = 0, y_mean = 0, xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    x_mean += x[i] / count;
    y_mean += y[i] / count;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - x_mean) * (x[i] - x_mean);
    yy += (y[i] - y_mean) * (y[i] - y_mean);
    xy += (x[i] - x_mean) * (y[i] - y_mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

}  // namespace dsf::bench
