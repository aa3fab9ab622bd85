#include "kernels/common/team.h"

#include <omp.h>

#include <thread>
#include <vector>

#include "kernels/common/parallel.h"

namespace dsf {

static void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

void TeamMember::meet() {
  constexpr int kPauses = 2000;
  const uint32_t number = meeting_.held.load(std::memory_order_relaxed);
  if (meeting_.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
    meeting_.arrived.store(0, std::memory_order_relaxed);
    // Not with release alone: notify_all could then read that nobody sleeps before others see this.
    meeting_.held.store(number + 1);
    meeting_.held.notify_all();
    return;
  }
  for (int i = 0; i < kPauses; ++i) {
    if (meeting_.held.load(std::memory_order_acquire) != number) return;
    pause_core();
  }
  meeting_.held.wait(number, std::memory_order_acquire);
}

namespace detail {

static void run_alone(TeamWork call, const void* work) {
  const ThreadLimit limit(1);
  TeamMember::Meeting meeting;
  TeamMember member(meeting, 0, 1);
  call(work, member);
}

#if defined(DSF_STD_THREADS)
// For ThreadSanitizer, which does not see libgomp's barriers.
void run_team(int64_t size, TeamWork call, const void* work) {
  if (size <= 1) return run_alone(call, work);
  TeamMember::Meeting meeting;
  const ThreadLimit limit(1);
  const auto run = [&](int64_t index) {
    TeamMember member(meeting, index, size);
    call(work, member);
  };
  std::vector<std::thread> threads;
  for (int64_t index = 1; index < size; ++index) {
    threads.emplace_back([&run, index] {
      omp_set_num_threads(1);
      run(index);
    });
  }
  run(0);
  for (std::thread& thread : threads) thread.join();
}
#else
void run_team(int64_t size, TeamWork call, const void* work) {
  if (size <= 1) return run_alone(call, work);
  TeamMember::Meeting meeting;
#pragma omp parallel num_threads(static_cast <int>(size))
  {
    // Alone if OpenMP gives no more: then loops would not know that they are within others.
    const ThreadLimit limit(1);
    TeamMember member(meeting, omp_get_thread_num(), omp_get_num_threads());
    call(work, member);
  }
}
#endif

}  // namespace detail
}  // namespace dsf
