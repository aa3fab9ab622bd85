#pragma once
// What a layer of a streaming codec still needs of its input: frames come at one end and go at the
// other.
#include <string>

#include "engine/model/arena.h"
#include "kernels/common/context.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// A queue of frames [T, C] that lie one behind another in one buffer of the device, so that ops
/// can read them as a tensor, and write to its end directly.
class FrameQueue {
 public:
  /// `longest` frames at most come between two drops, which leave `kept` at most.
  FrameQueue(const Context& ctx, Arena& arena, const std::string& name, int64_t channels,
             int64_t kept, int64_t longest);

  /// Begins anew with `zeros` frames of zeros.
  void restart(int64_t zeros);
  int64_t size() const { return size_; }
  /// Room [1, count, C] behind the last frame, to be written; it counts from then on.
  Tensor append(int64_t count);
  void append_zeros(int64_t count);
  /// The first frames, [1, count, C].
  Tensor front(int64_t count) const;
  void drop(int64_t count);
  /// Takes out `count` frames behind the first `zeros`, which are zeros.
  void drop_behind_zeros(int64_t zeros, int64_t count);
  void drop_last(int64_t count);

 private:
  int64_t capacity() const { return 2 * kept_ + longest_; }
  Tensor at(int64_t frame, int64_t count) const;
  void clear(int64_t frame, int64_t count);

  Context ctx_;
  int64_t channels_, kept_, longest_;
  int64_t begin_ = 0, size_ = 0;
  Tensor buffer_, zeros_;
};

}  // namespace dsf
