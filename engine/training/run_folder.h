#pragma once
// The files of a run's folder, and which of its checkpoints is meant.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

/// The best checkpoint by validation loss, in a run's folder.
inline constexpr std::string_view kBestCheckpoint = "best.safetensors";

/// The run's configuration as it holds, in a run's folder.
inline constexpr std::string_view kRunConfig = "params.yaml";

/// The checkpoint that `choice` means: "best" or "latest" of the run folder `model`, a file of it
/// or any other; empty: the best, else the latest. Where `model` is a file it is that one, and a
/// choice is a UsageError. A checkpoint that is not there is an Error that says what was looked
/// for.
std::filesystem::path choose_checkpoint(const std::filesystem::path& model,
                                        std::string_view choice);

/// Refuses a run folder that holds a checkpoint, with a UsageError. It need not exist.
void require_no_checkpoint(const std::filesystem::path& folder);

/// Refuses, with a UsageError, a folder that upstream trained into and this program did not: a run
/// would replace its configuration. It need not exist.
void require_not_upstreams(const std::filesystem::path& folder);

/// Refuses, with a UsageError, to resume the run of `folder` where that holds no checkpoint, but
/// the folder of the configuration file does: that run is meant, and was not found.
void require_same_run(const std::filesystem::path& folder,
                      const std::filesystem::path& config_file);

/// The settings in which the configuration `now` differs from the one that a run's folder keeps,
/// "key is X, was Y" each, without those that a resumed run may well change: how long it lasts,
/// unless the learning rate depends on it, and how often it evaluates and saves. Empty where the
/// folder keeps none.
std::vector<std::string> changed_settings(const std::filesystem::path& folder,
                                          const std::string& now);

}  // namespace dsf
