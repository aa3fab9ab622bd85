// dsf_codec evaluate: how far sound files are from those they were made from.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "apps/codec_commands.h"
#include "engine/codec/evaluate_files.h"
#include "engine/files/quote.h"

namespace dsf {
namespace {

void print_line(const std::string& name, size_t width, const SoundDistance& distance) {
  // Padded by characters, not bytes; a name may hold anything.
  const size_t characters = count_characters(name);
  fmt::print("{}{}  {:>12.4f}  {:>16.3f}  {:>10.2f}  {:>+11.2f}\n", name,
             std::string(width - std::min(width, characters), ' '), distance.mel,
             distance.log_spectral, distance.si_sdr, distance.loudness);
}

void print_table(const Evaluation& evaluation, bool with_mean) {
  size_t width = 4;
  for (const Evaluation::Pair& pair : evaluation.pairs) {
    width = std::max(width, count_characters(printable(pair.name)));
  }
  fmt::print("{:<{}}  mel distance  log-spectral, dB  SI-SDR, dB  loudness, LU\n", "file", width);
  for (const Evaluation::Pair& pair : evaluation.pairs) {
    print_line(printable(pair.name), width, pair.distance);
  }
  if (with_mean) print_line("mean", width, mean_distance(evaluation.pairs));
}

int evaluate(EvaluateRequest request, const CommonOptions& common, const std::atomic<bool>& stop) {
  request.progress = Progress::style_for(!common.informs());
  const Evaluation evaluation = evaluate_files(request, complain, stop);
  for (const std::string& file : evaluation.unpaired) {
    spdlog::warn("{}: no file of the other folder has its name: left out", printable(file));
  }
  for (const Evaluation::Pair& pair : evaluation.pairs) {
    for (const std::string& remark : pair.remarks) {
      spdlog::warn("{}: {}", printable(pair.name), printable(remark));
    }
  }
  if (!evaluation.pairs.empty()) {
    print_table(evaluation, std::filesystem::is_directory(request.reference));
  }
  return codec_exit_code(evaluation.failed, stop);
}

}  // namespace

CodecCommand add_evaluate(CLI::App& app, const CommonOptions& common) {
  CLI::App* const command = app.add_subcommand(
      "evaluate", "Compares sound files with those they were made from (no codec is needed)");
  const auto request = std::make_shared<EvaluateRequest>();
  command->add_option("REFERENCE", request->reference, "A sound file, or a folder of them")
      ->required();
  command
      ->add_option(
          "OTHER", request->other,
          "The same; files of folders are paired by their place and name without extension")
      ->required();
  command->footer(
      "Printed are, for each pair and of folders their mean:\n"
      "  mel distance  mean |log10 A - log10 B| of magnitudes in 80 mel bands (Slaney's), windows "
      "of\n"
      "                2048 samples every 512, none below 1e-5; 0.3 is a factor of 2 everywhere\n"
      "  log-spectral  root mean square over all bins of the levels' differences, dB\n"
      "  SI-SDR        scale-invariant signal-to-distortion ratio, dB; not aligned in time\n"
      "  loudness      integrated loudness of OTHER less REFERENCE's, LU\n"
      "OTHER is resampled to REFERENCE's rate, the longer is cut to the shorter, other numbers of\n"
      "channels are mixed down to one, and each of these is said. Equal channels are compared one "
      "by\n"
      "one. Exit code: 0 all pairs compared, 1 one failed, 2 misused, 130 interrupted");
  return {command, [request, &common](const std::atomic<bool>& stop) {
            return evaluate(*request, common, stop);
          }};
}

}  // namespace dsf
