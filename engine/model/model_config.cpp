#include "engine/model/model_config.h"

#include <algorithm>
#include <iterator>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kMaxVocabulary = 65'536;

struct ClassEntry {
  ModelClass model_class;
  std::string_view name;          // TransformerClass
  std::optional<bool> use_adaln;  // nullopt: the key is absent
  std::string_view variant;
};

constexpr ClassEntry kClasses[] = {
    {ModelClass::rope_concat, "RopeCondDACTransformer", std::nullopt, "rope_concat"},
    {ModelClass::postnorm_concat, "PostNormCondDACTransformerDecoder", std::nullopt,
     "postnorm_concat"},
    {ModelClass::rope_film, "RopeCondDACTransformer", false, "rope_film"},
    {ModelClass::rope_adaln, "RopeCondDACTransformer", true, "rope_adaln"},
    {ModelClass::streaming, "StreamingDACTransformer", std::nullopt, "streaming"},
};

const ClassEntry& entry_of(ModelClass model_class) {
  const auto* const found = std::ranges::find(kClasses, model_class, &ClassEntry::model_class);
  DSF_CHECK(found != std::end(kClasses), "class number {}", static_cast<int>(model_class));
  return *found;
}

std::string_view text_of(std::optional<bool> use_adaln) {
  if (!use_adaln) return "no use_adaLN";
  return *use_adaln ? "use_adaLN True" : "use_adaLN False";
}

}  // namespace

ModelClass parse_model_class(std::string_view name, std::optional<bool> use_adaln) {
  std::vector<std::string_view> names, choices;
  for (const ClassEntry& entry : kClasses) {
    if (name == entry.name && use_adaln == entry.use_adaln) return entry.model_class;
    if (name == entry.name) choices.push_back(text_of(entry.use_adaln));
    if (std::ranges::find(names, entry.name) == names.end()) names.push_back(entry.name);
  }
  if (choices.empty()) {
    fail_usage("TransformerClass '{}' is not supported; known: {}", name, fmt::join(names, ", "));
  }
  fail_usage("TransformerClass '{}' comes with {}, found {}", name, fmt::join(choices, " or "),
             text_of(use_adaln));
}

std::string_view model_class_name(ModelClass model_class) {
  return entry_of(model_class).name;
}

std::optional<bool> model_class_use_adaln(ModelClass model_class) {
  return entry_of(model_class).use_adaln;
}

std::string_view variant_name(ModelClass model_class) {
  return entry_of(model_class).variant;
}

std::optional<ModelClass> find_variant(std::string_view variant) {
  const auto* const found = std::ranges::find(kClasses, variant, &ClassEntry::variant);
  if (found == std::end(kClasses)) return std::nullopt;
  return found->model_class;
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
  const auto divides = [&](int64_t divisor, const std::string& name) {
    if (config.embed_size % divisor != 0) {
      fail_usage("{}: the embedding size {} is not divisible by {}", where, config.embed_size,
                 name);
    }
  };
  divides(config.num_heads, fmt::format("num_heads {}", config.num_heads));
  divides(config.num_codebooks, fmt::format("num_tokens {}", config.num_codebooks));
  if (config.model_class != ModelClass::streaming) divides(4, "4, as its rotary embedding needs");
  require(config.codebook_delay == 0 || config.codebook_delay == 1,
          fmt::format("codebook_delay is {}, it must be 0 or 1", config.codebook_delay));
  if (config.codebook_delay > 0) {
    require(config.model_class == ModelClass::streaming,
            fmt::format("codebook_delay is {}: {} draws a frame's codes at once, it must be 0",
                        config.codebook_delay, model_class_name(config.model_class)));
    require(config.max_length >= config.codebook_lag(),
            fmt::format("Tt is {}, with codebook_delay it must be at least num_tokens - 1 = {}",
                        config.max_length, config.codebook_lag()));
  }
  for (const auto& [value, name] : {std::pair{config.embed_size, "the embedding size"},
                                    {config.num_layers, "num_layers"},
                                    {config.lookback, "Ti"},
                                    {config.max_length, "Tt"},
                                    {config.num_codebooks, "num_tokens"},
                                    {config.vocab_size, "vocab_size"},
                                    {config.forward_expansion, "forward_expansion"},
                                    {config.cond_size(), "the conditioning size"}}) {
    require(value <= 1'000'000, fmt::format("{} is {}, which is not credible", name, value));
  }
  require(config.vocab_size <= kMaxVocabulary,
          fmt::format("vocab_size is {}, it must be at most {}: a .dac holds codes in 16 bits",
                      config.vocab_size, kMaxVocabulary));
}

}  // namespace dsf
