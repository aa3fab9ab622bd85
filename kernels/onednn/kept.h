#pragma once
// What oneDNN's primitives of one shape need, kept for the next call.
#include <omp.h>

#include <array>
#include <cstdint>
#include <dnnl.hpp>
#include <map>
#include <utility>

namespace dsf::onednn {

inline const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

/// A thread's primitives by their shapes and by what oneDNN plans for: so many threads, or the one
/// of a parallel loop. A training step has some twenty shapes, a decoder as many.
template <class Primitive, size_t kNumbers>
class Kept {
 public:
  /// That of `shape`; where it is not there, one made of `arguments`.
  template <class... Arguments>
  Primitive& get(const std::array<int64_t, kNumbers>& shape, const Arguments&... arguments) {
    const Key key{shape, {omp_in_parallel(), omp_get_max_threads()}};
    auto found = kept_.find(key);
    if (found == kept_.end()) {
      if (kept_.size() == kMost) kept_.clear();
      found = kept_.try_emplace(key, arguments...).first;
    }
    return found->second;
  }

 private:
  using Key = std::pair<std::array<int64_t, kNumbers>, std::pair<int, int>>;
  static constexpr size_t kMost = 64;
  std::map<Key, Primitive> kept_;
};

}  // namespace dsf::onednn
