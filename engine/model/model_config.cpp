#include "engine/model/model_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr std::array<std::pair<ModelClass, std::string_view>, 2> kNames = {{
    {ModelClass::rope_concat, "RopeCondDACTransformer"},
    {ModelClass::streaming, "StreamingDACTransformer"},
}};

}  // namespace

ModelClass parse_model_class(std::string_view name, std::optional<bool> use_adaln) {
  std::string known;
  for (const auto& [model_class, class_name] : kNames) {
    if (name == class_name && !use_adaln) return model_class;
    if (name == class_name)
      fail_usage("TransformerClass '{}' with use_adaLN is not supported", name);
    known += (known.empty() ? "" : ", ") + std::string(class_name);
  }
  fail_usage("TransformerClass '{}' is not supported; known: {}", name, known);
}

std::string_view model_class_name(ModelClass model_class) {
  for (const auto& [known, name] : kNames) {
    if (known == model_class) return name;
  }
  fail("model class {} has no name", static_cast<int>(model_class));
}

void check_model_config(const ModelConfig& config, std::string_view where) {
  const auto require = [&](bool holds, std::string_view what) {
    if (!holds) fail_usage("{}: {}", where, what);
  };
  const auto at_least_one = [&](int64_t value, std::string_view name) {
    if (value < 1) fail_usage("{}: {} is {}, it must be at least 1", where, name, value);
  };
  at_least_one(config.embed_size, "the embedding size");
  at_least_one(config.num_layers, "num_layers");
  at_least_one(config.num_heads, "num_heads");
  at_least_one(config.forward_expansion, "forward_expansion");
  at_least_one(config.lookback, "Ti");
  at_least_one(config.max_length, "Tt");
  at_least_one(config.num_codebooks, "num_tokens");
  at_least_one(config.vocab_size, "vocab_size");
  at_least_one(config.cond_size(), "the conditioning size");
  require(config.num_classes >= 0 && config.num_parameters >= 0,
          "numbers of classes and parameters must not be negative");
  require(config.dropout >= 0 && config.dropout < 1,
          fmt::format("dropout_rate is {}, it must be in [0, 1)", config.dropout));
  const auto divides = [&](int64_t divisor, std::string_view name) {
    if (config.embed_size % divisor != 0) {
      fail_usage("{}: the embedding size {} is not divisible by {} {}", where, config.embed_size,
                 name, divisor);
    }
  };
  divides(config.num_heads, "num_heads");
  divides(config.num_codebooks, "num_tokens");
  if (config.model_class == ModelClass::rope_concat)
    divides(4, "4, as its rotary embedding needs:");
  const int64_t largest = std::max({config.embed_size, config.num_layers, config.lookback,
                                    config.max_length, config.num_codebooks, config.vocab_size,
                                    config.forward_expansion, config.cond_size()});
  require(largest <= 1'000'000, fmt::format("a size of {} is not credible", largest));
}

}  // namespace dsf
