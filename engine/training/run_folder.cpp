#include "engine/training/run_folder.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include "engine/config/yaml_tree.h"
#include "engine/files/atomic_file.h"
#include "engine/training/checkpoint.h"

namespace dsf {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMaxConfigBytes = 1'000'000;
constexpr std::array kFreeToChange = {"experiment", "ErrorLogRate", "checkpoint_interval",
                                      "early_stop_epochs"};

using Settings = std::map<std::string, std::string>;

std::string value_of(const Settings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "" : found->second;
}

/// Whether the evaluation after the last epoch is one that a longer run makes, too.
bool ends_with_an_evaluation(const Settings& settings) {
  const int64_t epochs = std::strtoll(value_of(settings, "num_epochs").c_str(), nullptr, 10);
  const int64_t interval = std::strtoll(value_of(settings, "ErrorLogRate").c_str(), nullptr, 10);
  return interval > 0 && epochs % interval == 0;
}

/// Whether a resumed run of the settings `now` is what it was with another value of `key`. The
/// rates of a cosine all depend on how long it is.
bool is_free_to_change(const std::string& key, const Settings& before, const Settings& now) {
  if (key == "num_epochs") {
    return value_of(now, "lr_schedule") != "cosine" && ends_with_an_evaluation(before);
  }
  return std::ranges::count(kFreeToChange, key) > 0;
}

/// The settings of a YAML map, each as text.
Settings settings(std::string_view yaml, const std::string& where) {
  const YamlNode root = parse_yaml(yaml, where);
  Settings texts;
  if (root.kind != YamlNode::Kind::map) return texts;
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    YamlNode pair;
    pair.kind = YamlNode::Kind::map;
    pair.items = {root.items[i], root.items[i + 1]};
    const std::string text = emit_yaml(pair);
    const std::string& key = root.items[i].text;
    texts[key] = text.substr(key.size() + 2, text.size() - key.size() - 3);  // between ": " and \n
  }
  return texts;
}

/// Whether it is there; an Error where that cannot be told, as below a folder that may not be
/// entered.
bool is_there(const fs::path& path) {
  std::error_code error;
  const bool there = fs::exists(path, error);
  if (error) fail("{}: cannot be looked for: {}", path.string(), error.message());
  return there;
}

/// The checkpoint that a run would resume from, or the best one; empty where there is none.
fs::path some_checkpoint(const fs::path& folder) {
  if (!is_there(folder)) return {};
  fs::path checkpoint = latest_checkpoint(folder);
  if (checkpoint.empty() && is_there(folder / kBestCheckpoint)) return folder / kBestCheckpoint;
  return checkpoint;
}

}  // namespace

fs::path choose_checkpoint(const fs::path& model, std::string_view choice) {
  if (!is_there(model)) fail("{}: no such run folder or checkpoint", model.string());
  if (!fs::is_directory(model)) {
    if (!choice.empty()) {
      fail_usage("--checkpoint {}: {} is a checkpoint itself, not a run's folder", choice,
                 model.string());
    }
    return model;
  }
  fs::path best = model / kBestCheckpoint;
  if (choice == "best" || (choice.empty() && is_there(best))) {
    if (is_there(best)) return best;
    fail("{}: not there; a run with validation data writes it", best.string());
  }
  if (choice.empty() || choice == "latest") {
    fs::path latest = latest_checkpoint(model);
    if (!latest.empty()) return latest;
    const fs::path upstream = latest_upstream_checkpoint(model);
    if (upstream.empty()) fail("{}: no checkpoint in this folder", model.string());
    fail("{}: no .safetensors checkpoint in this folder, but upstream's; give {} in its place",
         model.string(), upstream.string());
  }
  for (const fs::path& file : {model / choice, fs::path(choice)}) {
    if (fs::is_regular_file(file)) return file;
  }
  fail("--checkpoint {}: no such file, neither in {} nor by itself; best and latest are known too",
       choice, model.string());
}

void require_no_checkpoint(const fs::path& folder) {
  const fs::path checkpoint = some_checkpoint(folder);
  if (checkpoint.empty()) return;
  fail_usage(
      "{} already holds {}; give --resume to go on from it, or another experiment name "
      "(--set experiment=NAME)",
      folder.string(), checkpoint.filename().string());
}

void require_not_upstreams(const fs::path& folder) {
  if (!is_there(folder) || !some_checkpoint(folder).empty()) return;
  const fs::path upstream = latest_upstream_checkpoint(folder);
  if (upstream.empty()) return;
  fail_usage(
      "{} holds upstream's {}, and a run there would replace its {}; give another experiment name "
      "(--set experiment=NAME), and --from {} to begin with its weights",
      folder.string(), upstream.filename().string(), kRunConfig, upstream.string());
}

void require_same_run(const fs::path& folder, const fs::path& config_file) {
  if (!some_checkpoint(folder).empty()) return;
  const fs::path other = config_file.has_parent_path() ? config_file.parent_path() : ".";
  if (some_checkpoint(other).empty()) return;
  const std::string name = fs::weakly_canonical(other).filename().string();
  fail_usage(
      "--resume: {} holds no checkpoint, but the folder of {} does; to go on there give --runs-dir "
      "{}{}, to begin anew leave out --resume",
      folder.string(), config_file.string(), (other / "..").lexically_normal().string(),
      name == folder.filename() ? "" : " --set experiment=" + name);
}

std::vector<std::string> changed_settings(const fs::path& folder, const std::string& now) {
  const fs::path file = folder / kRunConfig;
  if (!is_there(file)) return {};
  const std::vector<std::byte> bytes = read_file(file, kMaxConfigBytes);
  auto before =
      settings({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string());
  auto after = settings(now, "the configuration");
  for (const auto& [key, value] : before) after.try_emplace(key, "absent");
  std::vector<std::string> changes;
  for (const auto& [key, value] : after) {
    const std::string& old = before.try_emplace(key, "absent").first->second;
    if (value == old || is_free_to_change(key, before, after)) continue;
    changes.push_back(fmt::format("{} is {}, was {}", key, value, old));
  }
  return changes;
}

}  // namespace dsf
