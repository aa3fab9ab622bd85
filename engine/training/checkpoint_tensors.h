#pragma once
// A model's flat buffers from the named tensors of a file.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/files/stored_tensor.h"
#include "engine/model/parameters.h"

namespace dsf {

/// Raises an Error, beginning with `where`, if a file's tensors are too few for a model of these
/// sizes: before a table of these sizes is made.
void check_credible(const ModelConfig& config, const std::map<std::string, StoredTensor>& tensors,
                    const std::string& where);

/// A tensor and its place in a file, as messages begin.
struct FileTensor {
  const StoredTensor* tensor = nullptr;
  std::string where;
};

/// What the values of a buffer must be. All must be finite.
enum class Sign { any, not_negative };

/// One flat buffer [table.size()] of one tensor for each parameter, in the table's order. Shapes
/// are checked before anything is allocated. Another shape or number of tensors, and a value that
/// cannot be, are Errors that name the place.
std::vector<float> gather_parameters(const ParameterTable& table,
                                     const std::vector<FileTensor>& tensors, Sign sign);

/// The same from the tensors `prefix` + name of the file `where`; one that is missing is an Error.
std::vector<float> gather_named(const ParameterTable& table,
                                const std::map<std::string, StoredTensor>& tensors,
                                const std::string& prefix, Sign sign, const std::string& where);

/// An Error that names a tensor of the file `where` which is no parameter of the model and of which
/// `is_other` does not know what else it is: such a file is of another model.
void refuse_surplus(const ParameterTable& table, const std::map<std::string, StoredTensor>& tensors,
                    const std::function<bool(std::string_view)>& is_other,
                    const std::string& where);

/// check_model_config for sizes that stand in a file: what it refuses is an Error, the file's fault
/// and not the user's.
void check_stored_config(const ModelConfig& config, const std::string& where);

/// A parameter's shape as files have it.
std::vector<int64_t> stored_shape(const Parameter& parameter);

}  // namespace dsf
