#pragma once
// Checkpoints from one file format to the other.
#include <filesystem>
#include <string>
#include <vector>

#include "engine/model/sampling.h"

namespace dsf {

struct ConvertOptions {
  /// Replace the names in the checkpoint, if not empty; as many as it has.
  std::vector<std::string> class_names{}, parameter_names{};
  std::string codec{};        // whose codes it learned, as find_codec takes it; empty: as it says
  SamplingChoice sampling{};  // how codes are drawn where nobody says otherwise
  bool weights_only = false;  // leave the optimizer's state out
  /// Of the weights: "fp32" or, of weights only, "bf16". Empty: bf16 where there are weights only
  /// and these lose nothing by it, else fp32.
  std::string dtype{};
};

/// Writes the checkpoint `from` (.safetensors, or upstream's .pth) as `to`, whose format its name
/// decides: .pth, .pt or .safetensors. Returns what the new file does not hold or know, a sentence
/// each. Other names, a wrong number of class or parameter names, a codec that is not there,
/// sampling that cannot be, a StreamingDACTransformer as .pth, bf16 where it is not for weights
/// only, in a .safetensors, and for a .pth what it has no place for (names, codec, sampling) are
/// UsageErrors.
std::vector<std::string> convert_checkpoint(const std::filesystem::path& from,
                                            const std::filesystem::path& to,
                                            const ConvertOptions& options);

}  // namespace dsf
