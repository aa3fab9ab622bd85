// How parameters begin: PyTorch's defaults for upstream's classes, our own class's small embedding.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/model/parameters.h"
#include "tests/model_classes.h"
#include "tests/small_model.h"

namespace dsf {
namespace {

struct Values {
  double mean = 0, deviation = 0, least = 0, greatest = 0;
};

class InitialisationTest : public ::testing::TestWithParam<ModelClass> {
 protected:
  InitialisationTest() : table_(config()), weights_(static_cast<size_t>(table_.size())) {
    table_.initialise({weights_.data(), {table_.size()}}, 1);
  }

  static ModelConfig config() {
    ModelConfig config = testing::small_model(GetParam());
    config.embed_size = 128;
    config.vocab_size = 64;
    return config;
  }

  Values values(const std::string& name) {
    const ConstTensor view = table_.view({weights_.data(), {table_.size()}}, name);
    const auto count = static_cast<double>(view.size());
    const auto [least, greatest] = std::minmax_element(view.data, view.data + view.size());
    Values found{0, 0, *least, *greatest};
    for (int64_t i = 0; i < view.size(); ++i) found.mean += view.data[i] / count;
    for (int64_t i = 0; i < view.size(); ++i) {
      found.deviation += std::pow(view.data[i] - found.mean, 2) / count;
    }
    found.deviation = std::sqrt(found.deviation);
    return found;
  }

  ParameterTable table_;
  std::vector<float> weights_;
};

TEST_P(InitialisationTest, OfTheEmbeddingIsNormal) {
  const std::string& name = table_.entries().front().name;
  const double deviation = GetParam() == ModelClass::streaming ? 0.02 : 1;
  const auto count = static_cast<double>(table_[name].shape.size());
  const Values found = values(name);
  // Five standard errors; one value of these thousands lies beyond 2.5 deviations, none beyond 6.
  EXPECT_NEAR(found.mean, 0, 5 * deviation / std::sqrt(count));
  EXPECT_NEAR(found.deviation, deviation, 5 * deviation / std::sqrt(2 * count));
  EXPECT_GT(found.greatest, 2.5 * deviation);
  EXPECT_LT(found.greatest, 6 * deviation);
}

TEST_P(InitialisationTest, OfLinearLayersIsUniformByTheirInputs) {
  const double bound = 1 / std::sqrt(128.0);
  for (const char* name : {"final_layer.weight", "final_layer.bias"}) {
    const Values found = values(name);
    EXPECT_NEAR(found.least, -bound, 0.05 * bound) << name;
    EXPECT_GE(found.least, -bound) << name;
    EXPECT_NEAR(found.greatest, bound, 0.05 * bound) << name;
    EXPECT_LE(found.greatest, bound) << name;
    EXPECT_NEAR(found.deviation, bound / std::sqrt(3.0), 0.1 * bound) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, InitialisationTest, ::testing::ValuesIn(kModelClasses),
                         class_test_name);

}  // namespace
}  // namespace dsf
