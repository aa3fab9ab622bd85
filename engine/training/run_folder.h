#pragma once
// The files of a run's folder, and which of its checkpoints is meant.
#include <filesystem>
#include <string_view>

namespace dsf {

/// The best checkpoint by validation loss, in a run's folder.
inline constexpr std::string_view kBestCheckpoint = "best.safetensors";

/// The checkpoint that `choice` means: "best" or "latest" of the run folder `model`, a file of it
/// or any other; empty: the best, else the latest. Where `model` is a file it is that one, and a
/// choice is a UsageError. A checkpoint that is not there is an Error that says what was looked
/// for.
std::filesystem::path choose_checkpoint(const std::filesystem::path& model,
                                        std::string_view choice);

}  // namespace dsf
