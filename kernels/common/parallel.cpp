#include "kernels/common/parallel.h"

#include <omp.h>

#include <thread>
#include <vector>

namespace dsf {
namespace {
int thread_limit = omp_get_max_threads();
}

int num_threads() {
  return omp_in_parallel() ? 1 : thread_limit;
}

void set_num_threads(int count) {
  thread_limit = std::max(count, 1);
  omp_set_num_threads(thread_limit);
}

namespace detail {

// Ranges differ by one index at most; the split depends on nothing but the two counts.
static void run_chunk(int64_t count, int64_t chunks, int64_t chunk, ChunkBody call,
                      const void* body) {
  call(body, count * chunk / chunks, count * (chunk + 1) / chunks);
}

#if defined(DSF_STD_THREADS)
// For ThreadSanitizer, which does not see libgomp's barriers and would report every loop.
void run_chunks(int64_t count, int64_t chunks, ChunkBody call, const void* body) {
  std::vector<std::thread> threads;
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    threads.emplace_back([=] {
      omp_set_num_threads(1);  // for this thread's calls into oneDNN
      run_chunk(count, chunks, chunk, call, body);
    });
  }
  run_chunk(count, chunks, 0, call, body);
  for (std::thread& thread : threads) thread.join();
}
#else
void run_chunks(int64_t count, int64_t chunks, ChunkBody call, const void* body) {
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(chunks))
  for (int64_t chunk = 0; chunk < chunks; ++chunk) run_chunk(count, chunks, chunk, call, body);
}
#endif

}  // namespace detail
}  // namespace dsf
