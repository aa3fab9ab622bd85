#pragma once
// What dsf_check prints: one quantity of a golden case, how far ours is from it, how far it may be.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/files/safetensors.h"
#include "kernels/common/context.h"

namespace dsf {

struct Quantity {
  std::string name;
  double error = 0;
  double limit = 0;
  std::string not_checked;  // why it is not compared; empty: it is

  bool checked() const { return not_checked.empty(); }
  bool within() const { return error <= limit; }  // false for NaN
};

/// A quantity of a case that this engine does not compute yet.
Quantity not_supported_yet(const std::string& name);

/// ‖ours − golden‖ / ‖golden‖ in double; ∞ where the sizes differ.
double relative_error(std::span<const float> ours, std::span<const float> golden);
/// As above over `scale` instead of ‖golden‖.
double scaled_error(std::span<const float> ours, std::span<const float> golden, double scale);
double norm(std::span<const float> values);
/// How many of the codes differ; ∞ where the sizes differ.
double differing(std::span<const int32_t> ours, std::span<const int32_t> golden);

/// What __metadata__ of the case file `where` says under `key`; a UsageError if that is missing or
/// no whole number.
int64_t whole_number(const std::string& where, const TensorFile& file, const std::string& key);

/// Recomputes every quantity of the case in `directory` (case.safetensors with checkpoint.pth for a
/// transformer, with weights.pth for a codec). Anything unusable is a UsageError that says why.
std::vector<Quantity> check_case(const Context& ctx, const std::filesystem::path& directory);

std::vector<Quantity> check_transformer_case(const Context& ctx,
                                             const std::filesystem::path& directory);
std::vector<Quantity> check_codec_case(const Context& ctx, const std::filesystem::path& directory);

}  // namespace dsf
