// Converts checkpoints between upstream's format and ours, and lists what is in a file.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "apps/app.h"
#include "engine/files/inspect.h"
#include "engine/training/convert.h"
#include "kernels/common/checks.h"

int main(int argc, char** argv) {
  CLI::App app(
      "Converts a trained model between upstream's .pth and .safetensors, with the optimizer's "
      "state; or lists the tensors of a file.",
      "dsf_convert");
  dsf::CommonOptions common;
  dsf::ConvertOptions options;
  std::filesystem::path from, to, inspected;
  app.add_option("CHECKPOINT", from, "A .safetensors checkpoint or an upstream .pth");
  app.add_option("OUT", to, "The file to write; its ending, .pth or .safetensors, is its format");
  app.add_option("--class-names", options.class_names, "Names of the classes, in order")
      ->type_name("A,B,…")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--param-names", options.parameter_names, "Names of the parameters, in order")
      ->type_name("A,B,…")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--codec", options.codec, "Which codec its codes are of, for dsf_infer")
      ->type_name("FILE|bundled|official");
  app.add_option(
      "--top-n", options.sampling.top_n,
      "Stored: dsf_infer draws from so many likeliest codes, if it is told nothing else");
  app.add_option("--temperature", options.sampling.temperature, "Stored likewise, above 0");
  app.add_option("--min-p", options.sampling.min_p, "Stored likewise, 0 to 1");
  app.add_flag("--weights-only", options.weights_only, "Leave out the optimizer's state");
  app.add_option("--dtype", options.dtype,
                 "What the weights are stored in: fp32, or bf16 with --weights-only (default: bf16 "
                 "where the file holds no others and no optimizer's state)");
  app.add_option("--inspect", inspected, "List the tensors of a .safetensors, .pth or codec file")
      ->type_name("FILE");
  dsf::add_common_options(
      app, common,
      "  dsf_convert upstream_chkpt_0200.pth model.safetensors --class-names rain,wind\n"
      "  dsf_convert model.safetensors upstream_chkpt_0200.pth\n"
      "  dsf_convert model.safetensors copy.safetensors --top-n 1024\n"
      "  dsf_convert --inspect weights_44khz_8kbps_0.0.1.pth\n"
      "Upstream has no StreamingDACTransformer: a model of that class has no .pth.");
  return dsf::run_app(app, argc, argv, common, [&] {
    if (from.empty() != to.empty() || from.empty() == inspected.empty()) {
      dsf::fail_usage("give CHECKPOINT and OUT, or --inspect FILE; see --help");
    }
    if (!inspected.empty()) {
      for (const char* option : {"--class-names", "--param-names", "--codec", "--top-n",
                                 "--temperature", "--min-p", "--weights-only", "--dtype"}) {
        if (app.count(option) > 0) dsf::fail_usage("{} has no meaning with --inspect", option);
      }
      fmt::print("{}", dsf::inspect_file(inspected));
      return 0;
    }
    for (const std::string& sentence : dsf::convert_checkpoint(from, to, options)) {
      spdlog::warn("{}", sentence);
    }
    spdlog::info("wrote {}", to.string());
    return 0;
  });
}
