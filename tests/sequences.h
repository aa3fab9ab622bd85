#pragma once
// Sequences that a test makes up, as a learner takes them.
#include <numeric>
#include <vector>

#include "engine/training/sequence_source.h"

namespace dsf::testing {

/// A data set of files of equal length, all of them chosen.
class MadeSequences {
 public:
  /// frames [B, F, N], cond [B, C].
  MadeSequences(const Shape& shape, std::vector<int32_t> frames, std::vector<float> cond,
                const Context& ctx = {})
      : data_(data_of(shape, std::move(frames), std::move(cond))), source_(ctx, data_) {
    std::vector<int64_t> files(static_cast<size_t>(data_.files));
    std::iota(files.begin(), files.end(), 0);
    all_ = source_.choose(files);
  }
  const Sequences& all() const { return all_; }

 private:
  static Dataset data_of(const Shape& shape, std::vector<int32_t> frames, std::vector<float> cond) {
    Dataset data;
    data.files = shape[0];
    data.frames = shape[1];
    data.codebooks = shape[2];
    for (int64_t file = 0; file <= data.files; ++file) data.begins.push_back(file * data.frames);
    data.tokens = std::move(frames);
    data.cond = std::move(cond);
    return data;
  }

  Dataset data_;
  SequenceSource source_;
  Sequences all_;
};

}  // namespace dsf::testing
