// Makes a data set of procedural textures.
#include <spdlog/spdlog.h>

#include <chrono>

#include "apps/app.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/textures/texture_set.h"

namespace {

std::string describe_classes() {
  std::string text = "Classes and their parameter:\n";
  for (const dsf::TextureClass& one : dsf::texture_classes()) {
    text += fmt::format("  {:9} {}: {}\n", one.name, one.parameter, one.meaning);
  }
  return text;
}

int make(dsf::TextureSetRequest& request, const std::vector<std::string>& classes,
         const std::string& format, const dsf::CommonOptions& common,
         const std::atomic<bool>& stop) {
  using Clock = std::chrono::steady_clock;
  for (const std::string& name : classes) {
    request.kinds.push_back(dsf::find_texture_class(name).kind);
  }
  request.format = dsf::parse_audio_format(format);
  request.progress = dsf::Progress::style_for(!common.informs());
  const auto begin = Clock::now();
  const dsf::TextureSetSummary summary = dsf::write_texture_set(request, stop);
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  if (!summary.complete) {
    spdlog::info("stopped after {} in {}: no data frame was written; the same command makes all",
                 dsf::counted(summary.sounds, "sound"), dsf::printable(request.output.string()));
    return dsf::kStoppedExitCode;
  }
  spdlog::info("{} in {}: {:.1f} s of sound in {:.1f} s ({:.0f} × real time)",
               dsf::counted(summary.sounds, "sound"), dsf::printable(request.output.string()),
               summary.seconds, elapsed.count(), summary.seconds / elapsed.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes sounds to train on: pistons, wind, applause and bugs, with data frames.\n" +
                   describe_classes(),
               "dsf_textures");
  dsf::CommonOptions common;
  dsf::TextureSetRequest request;
  std::vector<std::string> classes;
  std::string format = "wav16";
  for (const dsf::TextureClass& one : dsf::texture_classes()) classes.emplace_back(one.name);
  app.add_option("--out", request.output,
                 "Folder: gets train-wav/ and dac-train.csv, for validation val-wav/ and "
                 "dac-val.csv")
      ->required();
  app.add_option("--classes", classes, "Which, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--count", request.count, "Sounds of each class to train on")
      ->capture_default_str();
  app.add_option("--validation-count", request.validation_count,
                 "Sounds of each class for validation, besides")
      ->capture_default_str();
  app.add_option("--seconds", request.seconds, "Length of each sound")->capture_default_str();
  app.add_option("--param", request.parameter,
                 "Parameter of all sounds, 0 to 1 (default: spread evenly from 0 to 1)");
  dsf::add_seed_option(app, request.seed, "Same seed, same sounds");
  app.add_option("--format", format, "wav16, wav24, wavfloat or flac")->capture_default_str();
  dsf::add_common_options(
      app, common,
      "  dsf_textures --out textures --count 100 --validation-count 25\n"
      "  dsf_textures --out storm --classes wind --count 1 --param 0.9 --seconds 600\n"
      "  dsf_textures --out swarm --classes bugs,applause --count 20 --seed 7 --format flac\n"
      "Encoded, the files of train-wav/ are those that dac-train.csv names.");
  return dsf::run_stoppable_app(app, argc, argv, common, [&](const std::atomic<bool>& stop) {
    return make(request, classes, format, common, stop);
  });
}
