#include "engine/training/checkpoint_tensors.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {

void check_credible(const ModelConfig& config, const std::map<std::string, StoredTensor>& tensors,
                    const std::string& where) {
  const auto e = static_cast<double>(config.embed_size);
  // Of every class: one projection and the feed-forward network of each layer, and the head.
  const double least =
      static_cast<double>(config.num_layers) * e * e *
          (1 + 2 * static_cast<double>(config.forward_expansion)) +
      e * static_cast<double>(config.num_codebooks) * static_cast<double>(config.vocab_size);
  double held = 0;
  for (const auto& [name, tensor] : tensors) held += static_cast<double>(tensor.size());
  if (least > held) {
    fail("{}: its sizes mean more than {:.0f} weights, its tensors hold {:.0f} values", where,
         least, held);
  }
}

std::vector<int64_t> stored_shape(const Parameter& parameter) {
  std::vector<int64_t> shape(static_cast<size_t>(parameter.shape.rank()));
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    shape[axis] = parameter.shape[static_cast<int>(axis)];
  }
  return shape;
}

std::vector<float> gather_parameters(const ParameterTable& table,
                                     const std::vector<FileTensor>& tensors, Sign sign) {
  DSF_CHECK(tensors.size() == table.entries().size(), "{} tensors for {} parameters",
            tensors.size(), table.entries().size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::vector<int64_t> expected = stored_shape(table.entries()[i]);
    if (tensors[i].tensor->shape != expected) {
      fail("{}: it has shape {}, expected {}", tensors[i].where,
           shape_text(tensors[i].tensor->shape), shape_text(expected));
    }
  }
  std::vector<float> flat(static_cast<size_t>(table.size()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::vector<float> values = to_floats(*tensors[i].tensor);
    const auto bad = std::ranges::find_if_not(values, [&](float value) {
      return std::isfinite(value) && (sign == Sign::any || value >= 0);
    });
    if (bad != values.end()) {
      fail("{}: element {} is {}, expected a finite number{}", tensors[i].where,
           bad - values.begin(), *bad, sign == Sign::any ? "" : " that is not negative");
    }
    std::ranges::copy(values, flat.begin() + table.entries()[i].offset);
  }
  return flat;
}

std::vector<float> gather_named(const ParameterTable& table,
                                const std::map<std::string, StoredTensor>& tensors,
                                const std::string& prefix, Sign sign, const std::string& where) {
  std::vector<FileTensor> found;
  for (const Parameter& parameter : table.entries()) {
    const auto entry = tensors.find(prefix + parameter.name);
    if (entry == tensors.end()) fail("{}: no tensor '{}'", where, prefix + parameter.name);
    found.push_back({&entry->second, fmt::format("{}: tensor '{}'", where, entry->first)});
  }
  return gather_parameters(table, found, sign);
}

void refuse_surplus(const ParameterTable& table, const std::map<std::string, StoredTensor>& tensors,
                    const std::function<bool(std::string_view)>& is_other,
                    const std::string& where) {
  std::set<std::string_view> known;
  for (const Parameter& parameter : table.entries()) known.insert(parameter.name);
  for (const auto& [name, tensor] : tensors) {
    if (known.contains(name) || is_other(name)) continue;
    fail("{}: tensor {}: the model that the file describes has none of this name", where,
         quote(name));
  }
}

void check_stored_config(const ModelConfig& config, const std::string& where) {
  try {
    check_model_config(config, where);
  } catch (const UsageError& error) {
    throw Error(error.what());
  }
}

}  // namespace dsf
