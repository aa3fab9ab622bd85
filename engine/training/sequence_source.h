#pragma once
// A data set where ops run, and sequences chosen from it.
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/model/arena.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// Sequences as a learner takes them, by their places in a data set: all in the memory of its
/// device.
struct Sequences {
  ConstIndexTensor tokens;  // [P, N], frames of all files
  ConstTensor cond;         // [F, C], of each file
  ConstIndexTensor begins;  // [B], the first frame of each sequence
  ConstIndexTensor files;   // [B], the file that it is of

  int64_t count() const { return begins.size(); }
  Sequences part(int64_t first, int64_t length) const {
    return {tokens, cond, begins.slice(first, length), files.slice(first, length)};
  }
};

class SequenceSource {
 public:
  /// Copies the data set to the context's device; on the CPU it is used where it lies, and must
  /// outlive the source.
  SequenceSource(const Context& ctx, const Dataset& data);

  /// The first of the frames that are taken of a file.
  using Begin = std::function<int64_t(int64_t file)>;
  /// Of each file the frames from begin(file) on, or its first ones. Valid until the next call.
  Sequences choose(std::span<const int64_t> files, const Begin& begin = {});

 private:
  Context ctx_;
  const Dataset& data_;
  Arena arena_;
  Sequences all_;                // begins and files empty
  IndexTensor begins_, files_;   // [F]
  std::vector<int32_t> places_;  // what is copied there
};

}  // namespace dsf
