// How parameters begin: PyTorch's defaults for upstream's classes (UPSTREAM.md, 3), and our own
// class's small embedding and FiLM.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/model/parameters.h"
#include "tests/model_classes.h"
#include "tests/small_model.h"

namespace dsf {
namespace {

constexpr int64_t kSize = 128;     // of the embedding
constexpr int64_t kNetwork = 64;   // width of the conditioning networks
constexpr int64_t kExpansion = 2;  // of the feed-forward networks

ModelConfig config_of(ModelClass model_class) {
  ModelConfig config = testing::small_model(model_class);
  config.embed_size = kSize;
  config.forward_expansion = kExpansion;
  return config;
}

struct Expected {
  Initialisation::Kind kind;
  double scale;  // a uniform's bound, a normal's deviation
};

Expected uniform(double bound) {
  return {Initialisation::Kind::uniform, bound};
}

Expected fan_in(int64_t inputs) {
  return uniform(1 / std::sqrt(static_cast<double>(inputs)));
}

/// By the name's parts, as PyTorch's modules begin.
Expected expected_of(const std::string& name, const ModelConfig& config) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  const bool bias = name.ends_with("bias");
  const int64_t c = config.cond_size();
  if (config.model_class == ModelClass::streaming) {
    if (name == "embedding.weight") return {Initialisation::Kind::normal, 0.02};
    if (has(".gamma.weight") || has(".beta.weight")) return uniform(0.5 / 8);  // of √64 inputs
    if (has(".gamma.bias")) return {Initialisation::Kind::ones, 0};
    if (has(".beta.bias")) return {Initialisation::Kind::zeros, 0};
    if (name.starts_with("conditioning.0")) return fan_in(c);
    if (name.starts_with("conditioning.2")) return fan_in(kNetwork);
  }
  if (has("embedding") && !has("cond_embedding")) return {Initialisation::Kind::normal, 1};
  if (has("in_proj_weight")) return uniform(std::sqrt(6.0 / (4 * kSize)));  // Xavier, [3E, E]
  if (has("in_proj_bias") || has("out_proj.bias")) return {Initialisation::Kind::zeros, 0};
  if (has("norm")) return {bias ? Initialisation::Kind::zeros : Initialisation::Kind::ones, 0};
  if (has("linear_reduce")) return fan_in(kSize + c);
  if (has("cond_embedding.mlp.0") || has("linear_mu") || has("linear_sigma")) return fan_in(c);
  if (has("cond_embedding.mlp.2")) return fan_in(kNetwork);
  if (has("linear_gamma") || has("linear_beta")) {
    return fan_in(config.model_class == ModelClass::rope_adaln ? c : kNetwork);
  }
  if (has("feed_forward.2")) return fan_in(kSize * kExpansion);
  return fan_in(kSize);
}

struct Values {
  double mean = 0, deviation = 0, least = 0, greatest = 0;

  explicit Values(ConstTensor tensor) {
    const auto count = static_cast<double>(tensor.size());
    const auto [low, high] = std::minmax_element(tensor.data, tensor.data + tensor.size());
    least = *low;
    greatest = *high;
    for (int64_t i = 0; i < tensor.size(); ++i) mean += tensor.data[i] / count;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      deviation += std::pow(tensor.data[i] - mean, 2) / count;
    }
    deviation = std::sqrt(deviation);
  }
};

class InitialisationTest : public ::testing::TestWithParam<ModelClass> {};

TEST_P(InitialisationTest, OfEveryParameterIsUpstreams) {
  const ModelConfig config = config_of(GetParam());
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 1);
  for (const Parameter& parameter : table.entries()) {
    SCOPED_TRACE(parameter.name);
    const Values found(table.view({weights.data(), {table.size()}}, parameter.name));
    const auto [kind, scale] = expected_of(parameter.name, config);
    const auto count = static_cast<double>(parameter.shape.size());
    if (kind == Initialisation::Kind::zeros || kind == Initialisation::Kind::ones) {
      const double value = kind == Initialisation::Kind::ones ? 1 : 0;
      EXPECT_EQ(found.least, value);
      EXPECT_EQ(found.greatest, value);
    } else if (kind == Initialisation::Kind::normal) {  // five standard errors
      EXPECT_NEAR(found.mean, 0, 5 * scale / std::sqrt(count));
      EXPECT_NEAR(found.deviation, scale, 5 * scale / std::sqrt(2 * count));
      EXPECT_GT(found.greatest, 2 * scale);
      EXPECT_LT(found.greatest, 6 * scale);
    } else {
      // Of n values the greatest misses the bound by more than 2·bound·10/n once in e¹⁰ times.
      const double rounding = 1e-6 * scale;
      EXPECT_LE(found.greatest, scale + rounding);
      EXPECT_GE(found.least, -scale - rounding);
      EXPECT_GT(found.greatest, scale * (1 - 20 / count));
      EXPECT_LT(found.least, -scale * (1 - 20 / count));
      EXPECT_NEAR(found.mean, 0, 5 * scale / std::sqrt(3 * count));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, InitialisationTest, ::testing::ValuesIn(kModelClasses),
                         class_test_name);

}  // namespace
}  // namespace dsf
