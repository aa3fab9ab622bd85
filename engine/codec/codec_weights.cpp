#include "engine/codec/codec_weights.h"

#include <algorithm>
#include <cmath>

#include "engine/files/file_kind.h"
#include "engine/files/torch_file.h"
#include "kernels/common/checks.h"
#include "kernels/common/parallel.h"

namespace dsf {
namespace {

/// Keeps alive the pickle that holds the tensor's elements: nothing is copied.
std::shared_ptr<const StoredTensor> shared_tensor(const PickleValue& value) {
  const auto holder = std::make_shared<PickleValue>(value);
  return {holder, &holder->as_tensor()};
}

/// v := g·v/‖v‖ for each of the g.size() equal parts of v.
void fold(std::vector<float>& v, const std::vector<float>& g) {
  const size_t width = v.size() / g.size();
  parallel_for(static_cast<int64_t>(g.size()), static_cast<int64_t>(1 + 65536 / width),
               [&](int64_t begin, int64_t end) {
                 for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end);
                      ++row) {
                   float* values = v.data() + row * width;
                   double sum = 0;
                   for (size_t i = 0; i < width; ++i) {
                     sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
                   }
                   const auto scale = static_cast<float>(g[row] / std::sqrt(sum));
                   for (size_t i = 0; i < width; ++i) values[i] *= scale;
                 }
               });
}

/// The names under which the weight of layer `name` is stored; without a norm, `norm` is empty.
struct WeightNames {
  std::string norm, direction;
};
WeightNames weight_names(const CodecWeights& weights, const std::string& name) {
  const std::string newer = name + ".parametrizations.weight.original";
  const std::string older = name + ".weight_", plain = name + ".weight";
  if (weights.tensors.contains(newer + "0")) return {newer + "0", newer + "1"};
  if (!weights.tensors.contains(older + "g") && weights.tensors.contains(plain)) return {"", plain};
  return {older + "g", older + "v"};
}

PickleValue read_file_of_codec(const std::filesystem::path& path, WithElements elements) {
  refuse_other_kinds(path, FileKind::zip, "codec weights");
  PickleValue content = read_torch_file(path, elements);
  if (content.find("model_state_dict")) {
    fail("{}: this is a model, not codec weights", path.string());
  }
  return content;
}

CodecConfig config_of(const PickleValue& content, const std::filesystem::path& path) {
  return parse_codec_config(content.at("metadata").at("kwargs"), path.string());
}

}  // namespace

const StoredTensor& CodecWeights::require(const std::string& name,
                                          const std::vector<int64_t>& shape) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    fail("{}: tensor {} is missing; expected one of shape {}", file, name, shape_text(shape));
  }
  if (found->second->shape != shape) {
    fail("{}: tensor {} has shape {}, expected {}", file, name, shape_text(found->second->shape),
         shape_text(shape));
  }
  return *found->second;
}

std::vector<float> CodecWeights::floats(const std::string& name,
                                        const std::vector<int64_t>& shape) const {
  std::vector<float> values = to_floats(require(name, shape));
  const auto bad = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad != values.end()) {
    fail("{}: tensor {}: element {} is {}, expected a finite number", file, name,
         bad - values.begin(), *bad);
  }
  return values;
}

void CodecWeights::require_weight(const std::string& name,
                                  const std::vector<int64_t>& shape) const {
  require(weight_names(*this, name).direction, shape);
}

std::vector<float> CodecWeights::folded_weight(const std::string& name,
                                               const std::vector<int64_t>& shape) const {
  const auto [norm, direction] = weight_names(*this, name);
  std::vector<float> weight = floats(direction, shape);
  if (norm.empty()) return weight;
  std::vector<int64_t> norm_shape(shape.size(), 1);
  norm_shape[0] = shape[0];
  fold(weight, floats(norm, norm_shape));
  if (!std::all_of(weight.begin(), weight.end(),
                   [](float value) { return std::isfinite(value); })) {
    fail("{}: tensor {} has a part of norm 0 (or near it), which weight norm divides by", file,
         direction);
  }
  return weight;
}

CodecConfig read_codec_config(const std::filesystem::path& path) {
  return config_of(read_file_of_codec(path, WithElements::no), path);
}

CodecWeights read_codec_weights(const std::filesystem::path& path) {
  const PickleValue content = read_file_of_codec(path, WithElements::yes);
  CodecWeights weights;
  weights.file = path.string();
  weights.config = config_of(content, path);
  for (const auto& [key, value] : content.at("state_dict").entries()) {
    weights.tensors.emplace(key.as_string(), shared_tensor(value));
  }
  return weights;
}

}  // namespace dsf
