#include "engine/training/run_folder.h"

#include "engine/training/checkpoint.h"

namespace dsf {

namespace fs = std::filesystem;

fs::path choose_checkpoint(const fs::path& model, std::string_view choice) {
  if (!fs::exists(model)) fail("{}: no such run folder or checkpoint", model.string());
  if (!fs::is_directory(model)) {
    if (!choice.empty()) {
      fail_usage("--checkpoint {}: {} is a checkpoint itself, not a run's folder", choice,
                 model.string());
    }
    return model;
  }
  fs::path best = model / kBestCheckpoint;
  if (choice == "best" || (choice.empty() && fs::exists(best))) {
    if (fs::exists(best)) return best;
    fail("{}: not there; a run with validation data writes it", best.string());
  }
  if (choice.empty() || choice == "latest") {
    fs::path latest = latest_checkpoint(model);
    if (latest.empty()) fail("{}: no checkpoint in this folder", model.string());
    return latest;
  }
  for (const fs::path& file : {model / choice, fs::path(choice)}) {
    if (fs::is_regular_file(file)) return file;
  }
  fail("--checkpoint {}: no such file, neither in {} nor by itself; best and latest are known too",
       choice, model.string());
}

}  // namespace dsf
