#include "engine/model/parameters.h"

#include <cmath>
#include <numbers>

#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

constexpr Initialisation kZeros{Initialisation::Kind::zeros};
constexpr Initialisation kOnes{Initialisation::Kind::ones};
constexpr Initialisation kNormal{Initialisation::Kind::normal, 1};

Initialisation uniform(double bound) {
  return {Initialisation::Kind::uniform, static_cast<float>(bound)};
}

Initialisation fan_in(int64_t inputs) {
  return uniform(1.0 / std::sqrt(static_cast<double>(inputs)));
}

float initial_value(const Initialisation& initialisation, const RandomStream& stream,
                    uint64_t index) {
  const auto words = random_words(stream, index);
  switch (initialisation.kind) {
    case Initialisation::Kind::zeros:
      return 0.0F;
    case Initialisation::Kind::ones:
      return 1.0F;
    case Initialisation::Kind::uniform:
      return initialisation.scale * (2.0F * to_unit(words[0]) - 1.0F);
    case Initialisation::Kind::normal:
      break;
  }
  const double radius = std::sqrt(-2.0 * std::log((words[0] + 0.5) * 0x1p-32));  // Box-Muller
  return static_cast<float>(initialisation.scale * radius *
                            std::cos(2.0 * std::numbers::pi * words[1] * 0x1p-32));
}

}  // namespace

ParameterTable::ParameterTable(const ModelConfig& config) {
  if (config.model_class == ModelClass::streaming) {
    add_streaming(config);
  } else {
    add_upstream(config);
  }
}

void ParameterTable::add(const std::string& name, const Shape& shape,
                         Initialisation initialisation) {
  DSF_CHECK(!positions_.contains(name), "parameter '{}' declared twice", name);
  positions_[name] = entries_.size();
  entries_.push_back({name, shape, initialisation, size_});
  size_ += shape.size();
}

void ParameterTable::add_linear(const std::string& name, int64_t outputs, int64_t inputs) {
  add(name + ".weight", {outputs, inputs}, fan_in(inputs));
  add(name + ".bias", {outputs}, fan_in(inputs));
}

void ParameterTable::add_norm(const std::string& name, int64_t size) {
  add(name + ".weight", {size}, kOnes);
  add(name + ".bias", {size}, kZeros);
}

void ParameterTable::add_attention(const std::string& name, int64_t size) {
  add(name + ".in_proj_weight", {3 * size, size},
      uniform(std::sqrt(6.0 / static_cast<double>(4 * size))));
  add(name + ".in_proj_bias", {3 * size}, kZeros);
  add(name + ".out_proj.weight", {size, size}, fan_in(size));
  add(name + ".out_proj.bias", {size}, kZeros);
}

void ParameterTable::add_network(const std::string& name, int64_t outputs, int64_t hidden,
                                 int64_t inputs) {
  add_linear(name + ".0", hidden, inputs);  // ".1" is the ReLU, as upstream counts
  add_linear(name + ".2", outputs, hidden);
}

// In the order of upstream's state dicts, by which its optimizer numbers the parameters.
void ParameterTable::add_upstream(const ModelConfig& config) {
  const int64_t e = config.embed_size;
  const bool later = model_class_use_adaln(config.model_class).has_value();
  for (int64_t n = 0; n < config.num_codebooks; ++n) {
    add(fmt::format("multi_embedding.{}.{}.weight", later ? "layers" : "embeddings", n),
        {config.vocab_size, e / config.num_codebooks}, kNormal);
  }
  for (int64_t i = 0; i < config.num_layers; ++i) {
    add_upstream_layer(fmt::format("layers.{}", i), config);
  }
  add_linear("final_layer", config.num_codebooks * config.vocab_size, e);
}

void ParameterTable::add_upstream_layer(const std::string& layer, const ModelConfig& config) {
  const int64_t e = config.embed_size, c = config.cond_size();
  const std::optional<bool> use_adaln = model_class_use_adaln(config.model_class);
  add_attention(layer + ".attention", e);
  if (!use_adaln) {
    add_norm(layer + ".norm1", e);
    add_norm(layer + ".norm2", e);
  }
  add_network(layer + ".feed_forward", e, config.forward_expansion * e, e);
  if (!use_adaln) {
    add_linear(layer + ".linear_reduce", e, e + c);
    return;
  }
  for (const char* conditioning : {".conditioning1", ".conditioning2"}) {
    const std::string name = layer + conditioning;
    if (*use_adaln) {
      add_linear(name + ".linear_mu", e, c);
      add_linear(name + ".linear_sigma", e, c);
    } else {
      add_network(name + ".cond_embedding.mlp", kConditioningWidth, kConditioningWidth, c);
    }
    const int64_t inputs = *use_adaln ? c : kConditioningWidth;
    add_linear(name + ".linear_gamma", e, inputs);
    add_linear(name + ".linear_beta", e, inputs);
  }
}

void ParameterTable::add_streaming(const ModelConfig& config) {
  const int64_t e = config.embed_size;
  // One entry more than the vocabulary: the learned start frame. It starts small, so that the
  // layers' outputs are not lost beside it: bench/results/model_class.md.
  add("embedding.weight", {config.num_codebooks, config.vocab_size + 1, e / config.num_codebooks},
      {Initialisation::Kind::normal, 0.02F});
  add_network("conditioning", kConditioningWidth, kConditioningWidth, config.cond_size());
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string layer = fmt::format("layers.{}", i);
    for (const char* film : {".film1", ".film2"}) {  // starts as γ = 1 + small, β = small
      const Initialisation small =
          uniform(0.5 / std::sqrt(static_cast<double>(kConditioningWidth)));
      add(layer + film + ".gamma.weight", {e, kConditioningWidth}, small);
      add(layer + film + ".gamma.bias", {e}, kOnes);
      add(layer + film + ".beta.weight", {e, kConditioningWidth}, small);
      add(layer + film + ".beta.bias", {e}, kZeros);
    }
    add_attention(layer + ".attention", e);
    add_network(layer + ".feed_forward", e, config.forward_expansion * e, e);
  }
  add_norm("final_norm", e);
  add_linear("final_layer", config.num_codebooks * config.vocab_size, e);
}

const Parameter& ParameterTable::operator[](const std::string& name) const {
  const auto found = positions_.find(name);
  DSF_CHECK(found != positions_.end(), "this model has no parameter '{}'", name);
  return entries_[found->second];
}

Tensor ParameterTable::view(Tensor flat, const std::string& name) const {
  const Parameter& parameter = (*this)[name];
  return {flat.data + parameter.offset, parameter.shape};
}

Tensor ParameterTable::view_run(Tensor flat, const std::string& name, int64_t count) const {
  const Shape& shape = (*this)[name].shape;
  return {view(flat, name).data, {count, shape[0], shape[1]}};
}

void ParameterTable::initialise(Tensor flat, uint64_t seed) const {
  DSF_CHECK(flat.size() == size_, "{} floats for {} parameters", flat.size(), size_);
  uint32_t number = 0;
  for (const Parameter& parameter : entries_) {
    const RandomStream stream{seed, purpose_initialisation, number++};
    for (int64_t i = 0; i < parameter.shape.size(); ++i) {
      flat[parameter.offset + i] =
          initial_value(parameter.initialisation, stream, static_cast<uint64_t>(i));
    }
  }
}

}  // namespace dsf
