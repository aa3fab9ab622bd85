#pragma once
// What the shim's CUDA functions (cuda_runtime.h) are made of.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/common/code_line.h"
#include "tests/simt/cuda_types.h"

namespace dsf::simt {

/// Sizes of a launch, and where it was asked for.
struct LaunchConfig {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;   // dynamic shared memory
  bool cooperative = false;  // all blocks at once, so that they can wait for each other
  CodeLine site = CodeLine::here();
};

/// Runs call(arguments) as every thread of the grid. `arguments` is what threads may read of the
/// host's memory: the kernel's parameters.
void launch(const LaunchConfig& config, void (*call)(const void* arguments), const void* arguments,
            size_t argument_bytes);

/// What the device says that it has.
int multiprocessors();
size_t max_shared_bytes();  // of a block
size_t max_allocation();
bool has_kernels();
bool has_cooperative_launches();

// The rest is for threads of a kernel.

/// __syncthreads; of how many threads of the block `predicate` holds.
int sync_threads(CodeLine site, bool predicate = false);

/// The barrier of all threads of a cooperative launch.
void sync_grid(CodeLine site);

/// A collective of the lanes in `mask`, `what` its name. Lane i gets the value (of `size` ≤ 16
/// bytes) of the lane that it names as its source, which must be in `mask`; and the bits of all.
struct Exchange {
  const char* what;
  uint32_t mask;
  unsigned source;
  void* value = nullptr;
  size_t size = 0;
  bool predicate = false;
  /// Of a collective of a whole warp that computes: gets the 32 lanes' values and changes them.
  void (*combine)(void* const* values) = nullptr;
};
uint32_t exchange(const Exchange& request, CodeLine site);

/// CUDA's built-in variables, of the thread that runs.
struct Builtins {
  uint3 thread, block;
  dim3 block_size, grid_size;
};
extern Builtins builtins;

/// The place of this thread in its warp.
unsigned lane();

/// The block's array known by `id`; the first thread that comes makes it.
void* shared_array(const void* id, const char* name, size_t bytes);
template <class T>
T* shared_array(const void* id, const char* name, size_t count) {
  return static_cast<T*>(shared_array(id, name, count * sizeof(T)));
}
/// The block's dynamic shared memory.
void* dynamic_shared();

/// cp.async: a copy of `bytes`, the last `zeros` of them 0 and not read, to shared memory. It is
/// done when this thread waits for it; until then nobody may touch where it goes.
void copy_async(void* shared, const void* global, size_t bytes, size_t zeros);
/// Ends a group of copies.
void commit_copies();
/// Waits for all of this thread's groups but the latest `prior`.
void wait_for_copies(size_t prior);

/// Ends the launch.
void trap(CodeLine site);

/// Checks an access that the compiler does not report: an atomic operation.
void check_atomic(const void* address, size_t size);

/// Adds to how many streams there are.
void count_stream(int change);

/// Waits for what was queued, which in late streams (simt.h) is done only now.
void synchronize();

// Graphs: what is queued between begin_recording and end_recording is kept, not done.
using Recording = std::vector<std::function<void()>>;
void begin_recording();
Recording end_recording();
bool recording();
/// Whether work is kept now, for a graph or until somebody waits; if so `work` was added to it.
bool record(const std::function<void()>& work);

// Memory of the device, for the host.
void* allocate(size_t bytes);
void release(void* memory);
enum class Copy { to_device, to_host, on_device };
void copy(void* to, const void* from, size_t bytes, Copy direction);
void fill(void* memory, int value, size_t bytes);

}  // namespace dsf::simt
