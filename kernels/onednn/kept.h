#pragma once
// What oneDNN's primitives of one shape need, kept for the next call.
#include <algorithm>
#include <array>
#include <cstdint>
#include <dnnl.hpp>
#include <map>

#include "kernels/common/parallel.h"

namespace dsf::onednn {

inline const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

/// A thread's primitives by their shapes, among which is the number of threads that oneDNN counts
/// on. A training step has some twenty shapes, a decoder as many.
template <class Primitive, size_t kNumbers>
class Kept {
 public:
  /// That of `shape`; where it is not there, one made of `arguments`.
  template <class... Arguments>
  Primitive& get(const std::array<int64_t, kNumbers>& shape, const Arguments&... arguments) {
    std::array<int64_t, kNumbers + 1> key;
    std::ranges::copy(shape, key.begin());
    key.back() = num_threads();
    auto found = kept_.find(key);
    if (found == kept_.end()) {
      if (kept_.size() == kMost) kept_.clear();
      found = kept_.try_emplace(key, arguments...).first;
    }
    return found->second;
  }

 private:
  static constexpr size_t kMost = 64;
  std::map<std::array<int64_t, kNumbers + 1>, Primitive> kept_;
};

}  // namespace dsf::onednn
