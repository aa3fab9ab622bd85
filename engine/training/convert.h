#pragma once
// Checkpoints from one file format to the other.
#include <filesystem>
#include <string>
#include <vector>

namespace dsf {

struct ConvertOptions {
  /// Replace the names in the checkpoint, if not empty; as many as it has.
  std::vector<std::string> class_names{}, parameter_names{};
  std::string codec{};        // whose codes it learned, as find_codec takes it; empty: as it says
  bool weights_only = false;  // leave the optimizer's state out
};

/// Writes the checkpoint `from` (.safetensors, or upstream's .pth) as `to`, whose format its name
/// decides: .pth, .pt or .safetensors. Returns what the new file does not hold or know, a sentence
/// each. Other names, a wrong number of class or parameter names, a codec that is not there, and a
/// StreamingDACTransformer as .pth, are UsageErrors.
std::vector<std::string> convert_checkpoint(const std::filesystem::path& from,
                                            const std::filesystem::path& to,
                                            const ConvertOptions& options);

}  // namespace dsf
