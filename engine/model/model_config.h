#pragma once
// The sizes that fix a model: its parameters' shapes and what it computes.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

/// Which mathematics a model follows (ARCHITECTURE.md has them side by side).
enum class ModelClass {
  rope_concat,      // upstream's RopeCondDACTransformer of January 2025
  postnorm_concat,  // upstream's PostNormCondDACTransformerDecoder of the same time
  rope_film,        // upstream's later RopeCondDACTransformer
  rope_adaln,       // the same with use_adaLN
  streaming,        // this project's own StreamingDACTransformer
};
inline constexpr ModelClass kModelClasses[] = {ModelClass::rope_concat, ModelClass::postnorm_concat,
                                               ModelClass::rope_film, ModelClass::rope_adaln,
                                               ModelClass::streaming};

struct ModelConfig {
  ModelClass model_class = ModelClass::streaming;
  int64_t embed_size = 0;  // E
  int64_t num_layers = 0;
  int64_t num_heads = 0;          // divides E
  int64_t forward_expansion = 0;  // hidden width of the feed-forward network, in units of E
  int64_t lookback = 0;           // Ti: position i sees positions i−Ti … i
  int64_t max_length = 0;         // Tt: longest sequence in training
  int64_t num_codebooks = 0;      // N, divides E
  int64_t codebook_delay = 0;     // 1: codebook n is drawn n frames late, knowing those before it
  int64_t vocab_size = 0;         // V
  int64_t num_classes = 0;
  int64_t num_parameters = 0;  // continuous conditioning parameters
  float dropout = 0;           // rate in training, [0, 1)

  /// Width of the conditioning vector: one-hot class, then the parameters.
  int64_t cond_size() const { return num_classes + num_parameters; }
  /// Frames from a frame's first code to its last.
  int64_t codebook_lag() const { return codebook_delay * (num_codebooks - 1); }
  int64_t head_size() const { return embed_size / num_heads; }
  bool operator==(const ModelConfig&) const = default;
};

/// The class of a YAML file's `TransformerClass`. Upstream calls two models
/// RopeCondDACTransformer: its later schema also has the key `use_adaLN`, its first one (nullopt)
/// has not. Unknown names, and a use_adaLN that the class does not have, are UsageErrors that say
/// what is known.
ModelClass parse_model_class(std::string_view name, std::optional<bool> use_adaln);
/// The reverse: the class's `TransformerClass`, and its `use_adaLN` if it has that key.
std::string_view model_class_name(ModelClass model_class);
std::optional<bool> model_class_use_adaln(ModelClass model_class);

/// A name for each class ("rope_film"), as golden cases and benches use it; and the reverse,
/// nullopt for an unknown one.
std::string_view variant_name(ModelClass model_class);
std::optional<ModelClass> find_variant(std::string_view variant);

/// Raises a UsageError that names the first size that cannot be (E not divisible by heads, by
/// codebooks or by 4, Ti < 1 …); `where` (a file) begins the message.
void check_model_config(const ModelConfig& config, std::string_view where);

}  // namespace dsf
