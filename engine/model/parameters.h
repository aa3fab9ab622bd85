#pragma once
// The one table of a model's parameters: names, shapes, initialisation and places in memory.
// Weights, gradients and both Adam moments are flat buffers laid out by it, and checkpoints are
// written and read through it.
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/model/model_config.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// How a parameter begins: PyTorch's defaults, as upstream relies on them, but for our own class's
/// embedding and FiLM.
struct Initialisation {
  enum class Kind { zeros, ones, normal, uniform };
  Kind kind = Kind::zeros;
  float scale = 0;  // of `uniform`: values in ±scale; of `normal`: the standard deviation
};

struct Parameter {
  std::string name;
  Shape shape;
  Initialisation initialisation;
  int64_t offset = 0;  // in floats, from the start of a flat buffer
};

class ParameterTable {
 public:
  /// The parameters of a model. Upstream's classes bear upstream's state-dict names.
  explicit ParameterTable(const ModelConfig& config);

  const std::vector<Parameter>& entries() const { return entries_; }
  /// Number of floats in a flat buffer.
  int64_t size() const { return size_; }
  const Parameter& operator[](const std::string& name) const;
  /// The part of a flat buffer [size()] that belongs to parameter `name`.
  Tensor view(Tensor flat, const std::string& name) const;
  /// `count` parameters that follow each other from `name` on, seen as one tensor.
  Tensor view_run(Tensor flat, const std::string& name, int64_t count) const;

  /// Fills a flat buffer with initial values drawn from `seed`.
  void initialise(Tensor flat, uint64_t seed) const;

 private:
  void add(const std::string& name, const Shape& shape, Initialisation initialisation);
  void add_linear(const std::string& name, int64_t outputs, int64_t inputs);
  void add_norm(const std::string& name, int64_t size);
  void add_attention(const std::string& name, int64_t size);
  /// Two linear layers with a ReLU between.
  void add_network(const std::string& name, int64_t outputs, int64_t hidden, int64_t inputs);
  void add_upstream(const ModelConfig& config);
  void add_upstream_layer(const std::string& layer, const ModelConfig& config);
  void add_streaming(const ModelConfig& config);

  std::vector<Parameter> entries_;
  std::unordered_map<std::string, size_t> positions_;
  int64_t size_ = 0;
};

/// Width of the hidden layer and of the output of the FiLM conditioning network.
inline constexpr int64_t kConditioningWidth = 64;

}  // namespace dsf
