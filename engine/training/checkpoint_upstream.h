#pragma once
// Upstream's .pth checkpoints as models of this project, both ways.
#include <filesystem>

#include "engine/training/checkpoint.h"

namespace dsf {

/// Reads weights and, if they are wanted and there, Adam's moments. The format has no place for
/// names and seed: classes are called class0 …, parameters param1 …, the seed is 0. The epoch is
/// that of the file's name, if it has one as upstream writes it. What a model of upstream's classes
/// cannot be is an Error that names file and tensor.
Checkpoint read_upstream_model(const std::filesystem::path& path, WithMoments moments);

/// Writes what upstream's load_model and PyTorch's optimizer take up, atomically. A class that
/// upstream does not have is a UsageError.
void write_upstream_model(const std::filesystem::path& path, const Checkpoint& checkpoint);

}  // namespace dsf
