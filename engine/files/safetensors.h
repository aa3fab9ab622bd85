#pragma once
// Safetensors: a length, a JSON header, then the bytes of the tensors.
// Format: https://github.com/huggingface/safetensors ("Format" in its README).
#include <filesystem>
#include <map>
#include <string>

#include "engine/files/stored_tensor.h"

namespace dsf {

struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::map<std::string, StoredTensor> tensors;

  bool operator==(const TensorFile&) const = default;
};

/// Reads a whole file. It must be exact: header of at most 100 MB, valid JSON without repeated
/// keys, and tensors that cover the data without gap or overlap, each with the bytes that its type
/// and shape need. Anything else is an Error that names file and tensor.
TensorFile read_safetensors(const std::filesystem::path& path);

/// Writes atomically, without copying the elements. The same content gives the same bytes: keys
/// are sorted; tensors lie in order of falling element size, then name, so that each is aligned.
void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, std::string>& metadata,
                       const std::map<std::string, TensorRef>& tensors);
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

}  // namespace dsf
