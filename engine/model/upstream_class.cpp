#include "engine/model/upstream_class.h"

namespace dsf {

std::optional<ModelClass> upstream_class_of(
    const std::function<bool(const std::string& name)>& has_tensor) {
  const auto in_layer = [&](const char* name) {
    return has_tensor(std::string("layers.0.") + name);
  };
  if (in_layer("linear_reduce.weight")) {
    return in_layer("attention.rotary_positional_embedding.sinusoid") ? ModelClass::rope_concat
                                                                      : ModelClass::postnorm_concat;
  }
  if (in_layer("conditioning1.cond_embedding.mlp.0.weight")) return ModelClass::rope_film;
  if (in_layer("conditioning1.linear_mu.weight")) return ModelClass::rope_adaln;
  return std::nullopt;
}

}  // namespace dsf
