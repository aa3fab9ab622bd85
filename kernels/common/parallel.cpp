#include "kernels/common/parallel.h"

#include <omp.h>

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace dsf {

int num_threads() {
  return omp_in_parallel() ? 1 : omp_get_max_threads();
}

void set_num_threads(int count) {
  omp_set_num_threads(std::max(count, 1));
}

namespace detail {

// Ranges differ by one index at most; the split depends on nothing but the two counts.
static void run_chunk(int64_t count, int64_t chunks, int64_t chunk, ChunkBody call,
                      const void* body) {
  call(body, count * chunk / chunks, count * (chunk + 1) / chunks);
}

/// The first exception of a loop's threads; none may leave a thread.
class FirstException {
 public:
  template <class Work>
  void guard(const Work& work) noexcept {
    try {
      work();
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      if (!first_) first_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

#if defined(DSF_STD_THREADS)
// For ThreadSanitizer, which does not see libgomp's barriers and would report every loop.
void run_chunks(int64_t count, int64_t chunks, ChunkBody call, const void* body) {
  FirstException exception;
  const auto run = [&](int64_t chunk) {
    exception.guard([&] { run_chunk(count, chunks, chunk, call, body); });
  };
  std::vector<std::thread> threads;
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    threads.emplace_back([&run, chunk] {
      omp_set_num_threads(1);  // for this thread's calls into oneDNN
      run(chunk);
    });
  }
  run(0);
  for (std::thread& thread : threads) thread.join();
  exception.rethrow();
}
#else
void run_chunks(int64_t count, int64_t chunks, ChunkBody call, const void* body) {
  FirstException exception;
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(chunks))
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    exception.guard([&] { run_chunk(count, chunks, chunk, call, body); });
  }
  exception.rethrow();
}
#endif

}  // namespace detail
}  // namespace dsf
