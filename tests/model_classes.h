#pragma once
// Tests with a model class as their parameter.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/model/model_config.h"

namespace dsf {

inline std::vector<ModelClass> upstream_classes() {
  std::vector<ModelClass> classes;
  for (const ModelClass model_class : kModelClasses) {
    if (model_class != ModelClass::streaming) classes.push_back(model_class);
  }
  return classes;
}

/// Names a test after its class.
inline std::string class_test_name(const ::testing::TestParamInfo<ModelClass>& info) {
  return std::string(variant_name(info.param));
}

}  // namespace dsf
