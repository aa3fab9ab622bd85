// Trains a model from a YAML configuration.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "apps/app.h"
#include "engine/training/dry_run.h"
#include "engine/training/run.h"

int main(int argc, char** argv) {
  CLI::App app("Trains a model on a folder of .dac files as a YAML file says.", "dsf_train");
  dsf::CommonOptions common;
  std::string config_file, device = "cpu", precision = "fp32";
  std::vector<std::string> overrides;
  dsf::RunOptions options;
  bool dry_run = false;
  app.add_option("CONFIG", config_file, "Configuration, upstream's YAML or one of configs/")
      ->required();
  app.add_option("--set", overrides, "Override a key of the configuration: --set num_epochs=100")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  dsf::add_seed_option(app, options.seed, "Of initialisation, shuffling and dropout");
  app.add_flag("--resume", options.resume,
               "Continue from the latest state that the run saved, if there is one");
  app.add_option(
      "--from", options.from,
      "Begin with the weights and optimizer state of a checkpoint, .safetensors or "
      "upstream's .pth, or of a run's folder (the best, else the latest); epochs count from 1. "
      "With --resume: where the run saved no state yet");
  app.add_option(
         "--minutes", options.minutes,
         "Train so long at most, but one epoch: end before one that would not be done in time. "
         "--resume goes on from there")
      ->check(dsf::real_from_to(0.001, 1e6));
  app.add_flag(
      "--dry-run", dry_run,
      "Read everything, say sizes, memory, time and all that is wrong with the data; write "
      "nothing");
  app.add_option("--runs-dir", options.runs_directory, "Where run folders are")
      ->capture_default_str();
  dsf::add_device_option(app, device);
  dsf::add_precision_option(app, precision);
  dsf::add_common_options(app, common,
                          "  dsf_train configs/params_sm.yaml\n"
                          "  dsf_train my.yaml --set data_dir=sounds/train --seed 7\n"
                          "  dsf_train my.yaml --minutes 10\n"
                          "  dsf_train runs/smalltest/params.yaml --resume\n"
                          "  dsf_train my.yaml --from upstream_chkpt_0200.pth\n"
                          "  dsf_train my.yaml --dry-run");
  return dsf::run_stoppable_app(app, argc, argv, common, [&](const std::atomic<bool>& stop) {
    const dsf::Context ctx = dsf::make_context(device, precision);
    const auto warn = [](const std::string& text) {
      spdlog::warn("{}", dsf::printable_lines(text));
    };
    const dsf::TrainingConfig config = dsf::read_training_config(config_file, overrides, warn);
    if (dry_run) {
      const auto print = [](const std::string& text) {
        fmt::print("{}\n", dsf::printable_lines(text));
        std::fflush(stdout);  // what was said is there if the next thing takes too much memory
      };
      const bool sound = dsf::dry_run(ctx, config, options, print, stop);
      return stop ? dsf::kStoppedExitCode : sound ? 0 : 1;
    }
    options.progress = dsf::Progress::style_for(!common.informs());
    const auto say = [](const std::string& text) {
      spdlog::info("{}", dsf::printable_lines(text));
    };
    const bool finished = dsf::run_training(ctx, config, options, say, stop);
    return finished ? 0 : dsf::kStoppedExitCode;
  });
}
