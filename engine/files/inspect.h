#pragma once
// What is in a file of tensors, as text for people.
#include <filesystem>
#include <string>

namespace dsf {

/// Lists what a .safetensors file or any archive of torch.save (checkpoints, codec weights; .pth
/// and .pt) says, then its tensors: name, type, shape, bytes. Raises an Error where the file cannot
/// be read whole.
std::string inspect_file(const std::filesystem::path& path);

}  // namespace dsf
