#pragma once
// The simulated GPU, as tests see it. Kernels see tests/simt/cuda_runtime.h.
#include <cstddef>
#include <cstdint>

#include "kernels/common/checks.h"

namespace dsf::simt {

/// What a kernel did that CUDA forbids or leaves undefined, with its place: source line, block and
/// thread. Thrown by the launch, or by the copy, that met it.
class Fault : public Error {
 public:
  using Error::Error;
};

/// The order in which the following launches run blocks, warps and lanes: 0 is the order of their
/// numbers, any other a random order of that seed. Results must not depend on it.
void set_schedule(uint64_t seed);

/// How many multiprocessors the device says that it has: few, and odd, so that blocks of a kernel
/// that takes all of them share its work unevenly.
inline constexpr int kMultiprocessors = 3;
void set_multiprocessors(int count);
/// How many bytes of shared memory a block can have: an H100's 227 KiB.
inline constexpr size_t kMaxSharedBytes = 227 * 1024;
void set_max_shared_bytes(size_t bytes);
/// The largest allocation that it has memory for: any.
inline constexpr size_t kAnyAllocation = SIZE_MAX;
void set_max_allocation(size_t bytes);
/// Whether it has kernels of the program, and cooperative launches: it has both.
void set_abilities(bool kernels, bool cooperative);

/// Whether what is queued is done when somebody waits for it, as late as it may be, and not at
/// once.
void set_late(bool late);

/// How often the host recorded a graph, and waited for the device, so far; and the streams that it
/// has.
struct HostCalls {
  int64_t recordings = 0, waits = 0, streams = 0;
};
HostCalls host_calls();

/// How many kernels were run so far, those of graphs as often as these were.
int64_t launches();

/// How many schedules a test runs: 3, or what DSF_SIMT_SCHEDULES says.
int schedules();

}  // namespace dsf::simt
