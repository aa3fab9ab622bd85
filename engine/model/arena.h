#pragma once
// Owns every buffer of a model under a name.
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/common/tensor.h"

namespace dsf {

/// Hands out named buffers and keeps them until it is destroyed. Asking again for a name gives the
/// same buffer (so layers share scratch by sharing its name); a larger size under a known name is
/// an error. Everything is allocated while a model is built, nothing afterwards.
class Arena {
 public:
  /// A zeroed buffer, aligned to 64 bytes.
  Tensor tensor(const std::string& name, const Shape& shape);
  IndexTensor index(const std::string& name, const Shape& shape);

  struct Entry {
    std::string name;
    int64_t bytes;
  };
  /// What is held, in the order of first use; the sum is the peak, as nothing is given back.
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t bytes() const;

 private:
  struct Free {
    void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
  };
  using Block = std::unique_ptr<void, Free>;
  void* allocate(const std::string& name, int64_t bytes);

  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> positions_;
  std::vector<Block> blocks_;
};

/// The first shape.size() elements of a buffer that was allocated for at least that many.
inline Tensor view(Tensor buffer, const Shape& shape) {
  DSF_CHECK(shape.size() <= buffer.shape.size(), "{} in a buffer of {}", shape.str(),
            buffer.shape.str());
  return {buffer.data, shape};
}

}  // namespace dsf
