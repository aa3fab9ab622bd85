#pragma once
// What dsf_check prints: one quantity of a golden case, how far ours is from it, how far it may be.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kernels/common/context.h"

namespace dsf {

struct Quantity {
  std::string name;
  double error = 0;
  double limit = 0;
  bool supported = true;  // false: this engine does not compute it yet

  bool within() const { return error <= limit; }  // false for NaN
};

/// ‖ours − golden‖ / ‖golden‖ in double; ∞ where the sizes differ.
double relative_error(std::span<const float> ours, std::span<const float> golden);
/// As above over `scale` instead of ‖golden‖.
double scaled_error(std::span<const float> ours, std::span<const float> golden, double scale);
double norm(std::span<const float> values);
/// How many of the codes differ; ∞ where the sizes differ.
double differing(std::span<const int32_t> ours, std::span<const int32_t> golden);

/// Recomputes every quantity of the case in `directory` (case.safetensors with checkpoint.pth for a
/// transformer, with weights.pth for a codec). Anything unusable is a UsageError that says why.
std::vector<Quantity> check_case(const Context& ctx, const std::filesystem::path& directory);

std::vector<Quantity> check_transformer_case(const Context& ctx,
                                             const std::filesystem::path& directory);
std::vector<Quantity> check_codec_case(const Context& ctx, const std::filesystem::path& directory);

}  // namespace dsf
