#pragma once
// Which of upstream's classes a state dict belongs to.
#include <functional>
#include <optional>
#include <string>

#include "engine/model/model_config.h"

namespace dsf {

/// The class that the names of a state dict (parameters and buffers) are signs of; nullopt where
/// they are of none. The two classes of January 2025 have the same parameters: only RopeCond…'s
/// attention keeps a rotary buffer.
std::optional<ModelClass> upstream_class_of(
    const std::function<bool(const std::string& name)>& has_tensor);

}  // namespace dsf
