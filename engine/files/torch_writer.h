#pragma once
// Writes what torch.save writes: a zip archive of a pickle and the elements of its tensors, one
// uncompressed entry for each storage. torch.load(weights_only=True) reads it.
#include <filesystem>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "engine/files/pickle_writer.h"

namespace dsf {

/// Values go to `pickle()` and, tensors, to `tensor()`, in any order and nesting that a pickle may
/// have; `write` ends it. What is saved is whatever one value these calls leave.
class TorchWriter {
 public:
  PickleWriter& pickle() { return pickle_; }

  /// A dense tensor of float32. The elements are read by `write` and belong to the caller; the same
  /// elements given twice are stored once and shared, as a module's shared buffers are.
  void tensor(std::span<const int64_t> shape, const float* elements);
  /// An empty collections.OrderedDict.
  void ordered_dict();

  /// Ends the pickle and writes the archive atomically. The same content gives the same bytes:
  /// entries have a fixed date. Elements begin at multiples of 64 bytes, as PyTorch's do. All of
  /// the file passes through memory.
  void write(const std::filesystem::path& path);

 private:
  PickleWriter pickle_{2};
  std::vector<std::span<const float>> storages_;  // storage N is entry data/N
  std::map<const float*, size_t> storage_of_;
};

}  // namespace dsf
