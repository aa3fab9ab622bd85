#pragma once
// Owns every buffer of a model under a name.
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/common/context.h"
#include "kernels/common/memory.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// Hands out named buffers and keeps them until it is destroyed. Asking again for a name gives the
/// same buffer (so layers share scratch by sharing its name); a larger size under a known name is
/// an error. Everything is allocated while a model is built, nothing afterwards.
class Arena {
 public:
  /// Whether there is memory behind the buffers. `counted` ones tell how much there would be; they
  /// must be neither read nor written.
  enum class Memory { held, counted };

  /// In the memory of the context's device.
  explicit Arena(const Context& ctx = {}, Memory memory = Memory::held)
      : ctx_(ctx), memory_(memory) {}

  /// A zeroed buffer, aligned to 64 bytes.
  Tensor tensor(const std::string& name, const Shape& shape);
  IndexTensor index(const std::string& name, const Shape& shape);
  /// Of numbers that may pass 2³¹: counters.
  TensorView<int64_t> wide(const std::string& name, const Shape& shape);

  struct Entry {
    std::string name;
    int64_t bytes;
  };
  /// What is held or counted, in the order of first use; the sum is the peak, as nothing is given
  /// back.
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t bytes() const;

 private:
  struct Release {
    Context ctx;
    void operator()(void* memory) const { release(ctx, memory); }
  };
  using Buffer = std::unique_ptr<void, Release>;
  void* buffer(const std::string& name, int64_t bytes);

  Context ctx_;
  Memory memory_;
  std::vector<Entry> entries_;
  std::unordered_map<std::string, size_t> positions_;
  std::vector<Buffer> buffers_;
};

/// The first shape.size() elements of a buffer that was allocated for at least that many.
inline Tensor view(Tensor buffer, const Shape& shape) {
  DSF_CHECK(shape.size() <= buffer.shape.size(), "{} in a buffer of {}", shape.str(),
            buffer.shape.str());
  return {buffer.data, shape};
}

}  // namespace dsf
