#pragma once
// Loops over several cores. Work is split by index only, and no result depends on how it was split.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace dsf {

/// Threads that the calling thread's loops and calls into oneDNN may use; at start all that the
/// machine (or OMP_NUM_THREADS) offers.
int num_threads();
void set_num_threads(int count);

/// Sets them while it lives.
class ThreadLimit {
 public:
  explicit ThreadLimit(int count) : before_(num_threads()) { set_num_threads(count); }
  ~ThreadLimit() { set_num_threads(before_); }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int before_;
};

namespace detail {
using ChunkBody = void (*)(const void* body, int64_t begin, int64_t end);
void run_chunks(int64_t count, int64_t chunks, ChunkBody call, const void* body);
}  // namespace detail

/// Calls body(begin, end) on disjoint ranges that together cover [0, count), in parallel, at least
/// `grain` indices to a range (choose it so that a range is worth some microseconds).
/// Inside another parallel_for it runs on the calling thread. What `body` throws is thrown on, by
/// one range of those that do, after all have ended.
template <class Body>
void parallel_for(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return;
  const int64_t chunks = std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, num_threads());
  if (chunks == 1) {
    body(int64_t{0}, count);
    return;
  }
  detail::run_chunks(
      count, chunks,
      [](const void* object, int64_t begin, int64_t end) {
        (*static_cast<const Body*>(object))(begin, end);
      },
      &body);
}

/// A grain for loops over rows whose elements cost a few operations each.
inline int64_t row_grain(int64_t cols) {
  return 8192 / cols + 1;
}

}  // namespace dsf
