#pragma once
// CUDA's language and run time as far as our kernels use them, for the simulation: see
// "CUDA and its simulation" in ARCHITECTURE.md. A missing function belongs here, with CUDA's name
// and meaning; a kernel never asks whether it is simulated.
#include <math.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/simt/cuda_types.h"
#include "tests/simt/device.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

#define threadIdx (::dsf::simt::builtins.thread)
#define blockIdx (::dsf::simt::builtins.block)
#define blockDim (::dsf::simt::builtins.block_size)
#define gridDim (::dsf::simt::builtins.grid_size)
inline constexpr int warpSize = 32;

// --- Barriers and fences ---

inline void __syncthreads(dsf::CodeLine site = dsf::CodeLine::here()) {
  dsf::simt::sync_threads(site);
}
inline int __syncthreads_count(int predicate, dsf::CodeLine site = dsf::CodeLine::here()) {
  return dsf::simt::sync_threads(site, predicate != 0);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU, dsf::CodeLine site = dsf::CodeLine::here()) {
  dsf::simt::exchange({"__syncwarp", mask, dsf::simt::lane()}, site);
}
// One OS thread runs all: what is written is seen. Fences order nothing for the race detector.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __trap(dsf::CodeLine site = dsf::CodeLine::here()) {
  dsf::simt::trap(site);
}

// --- Warp shuffles and votes ---

namespace dsf::simt {

template <class T>
T shuffle(const char* what, unsigned mask, T value, unsigned source, CodeLine site) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 16);
  exchange({what, mask, source, &value, sizeof value}, site);
  return value;
}

}  // namespace dsf::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize,
              dsf::CodeLine site = dsf::CodeLine::here()) {
  const unsigned segment = dsf::simt::lane() & ~static_cast<unsigned>(width - 1);
  return dsf::simt::shuffle("__shfl_sync", mask, value,
                            segment + (static_cast<unsigned>(source) & unsigned(width - 1)), site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize,
                  dsf::CodeLine site = dsf::CodeLine::here()) {
  const unsigned lane = dsf::simt::lane(), source = lane ^ static_cast<unsigned>(lane_mask);
  const unsigned segment_end = (lane & ~static_cast<unsigned>(width - 1)) + unsigned(width);
  return dsf::simt::shuffle("__shfl_xor_sync", mask, value, source < segment_end ? source : lane,
                            site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   dsf::CodeLine site = dsf::CodeLine::here()) {
  const unsigned lane = dsf::simt::lane(), place = lane & static_cast<unsigned>(width - 1);
  return dsf::simt::shuffle("__shfl_down_sync", mask, value,
                            place + delta < unsigned(width) ? lane + delta : lane, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                 dsf::CodeLine site = dsf::CodeLine::here()) {
  const unsigned lane = dsf::simt::lane(), place = lane & static_cast<unsigned>(width - 1);
  return dsf::simt::shuffle("__shfl_up_sync", mask, value, place >= delta ? lane - delta : lane,
                            site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              dsf::CodeLine site = dsf::CodeLine::here()) {
  return dsf::simt::exchange({"__ballot_sync", mask, dsf::simt::lane(), nullptr, 0, predicate != 0},
                             site);
}
inline int __any_sync(unsigned mask, int predicate, dsf::CodeLine site = dsf::CodeLine::here()) {
  return dsf::simt::exchange({"__any_sync", mask, dsf::simt::lane(), nullptr, 0, predicate != 0},
                             site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, dsf::CodeLine site = dsf::CodeLine::here()) {
  return dsf::simt::exchange({"__all_sync", mask, dsf::simt::lane(), nullptr, 0, predicate == 0},
                             site) == 0;
}

// --- Asynchronous copies to shared memory (cuda_pipeline_primitives.h) ---

inline void __pipeline_memcpy_async(void* shared, const void* global, size_t bytes,
                                    size_t zeros = 0) {
  dsf::simt::copy_async(shared, global, bytes, zeros);
}
inline void __pipeline_commit() {
  dsf::simt::commit_copies();
}
inline void __pipeline_wait_prior(size_t prior) {
  dsf::simt::wait_for_copies(prior);
}

// --- Atomics ---

namespace dsf::simt {

/// Threads change only at barriers and collectives, so any operation is atomic.
template <class T, class Change>
__attribute__((no_sanitize("thread"))) T atomic_update(T* address, const Change& change) {
  check_atomic(address, sizeof(T));
  T old, changed;
  std::memcpy(&old, address, sizeof old);
  changed = change(old);
  std::memcpy(address, &changed, sizeof changed);
  return old;
}

}  // namespace dsf::simt

// As CUDA's own: for int, unsigned, unsigned long long, and atomicAdd and atomicExch for float.
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T old) { return std::max(old, value); });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T old) { return std::min(old, value); });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T old) { return static_cast<T>(old | value); });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T old) { return static_cast<T>(old & value); });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return dsf::simt::atomic_update(address, [=](T old) { return old == expected ? value : old; });
}

// --- Arithmetic: exact where CUDA's is approximate ---

inline float rsqrtf(float x) {
  return 1.0F / sqrtf(x);
}
inline float __expf(float x) {
  return expf(x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __sinf(float x) {
  return sinf(x);
}
inline float __cosf(float x) {
  return cosf(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return fmaf(x, y, z);
}
template <class T>
T __ldg(const T* address) {
  return *address;
}
inline int __popc(unsigned bits) {
  return __builtin_popcount(bits);
}
inline int __ffs(int bits) {
  return __builtin_ffs(bits);
}
inline int __clz(int bits) {
  return bits == 0 ? 32 : __builtin_clz(static_cast<unsigned>(bits));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(uint64_t{a} * b >> 32);
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
using std::max;
using std::min;

// --- The run time ---

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorNoKernelImageForDevice = 209
};
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrCooperativeLaunch = 95,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
inline cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
/// Its compute capability is an H100's, 9.0.
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount      ? dsf::simt::multiprocessors()
           : attribute == cudaDevAttrComputeCapabilityMajor ? 9
           : attribute == cudaDevAttrCooperativeLaunch ? int{dsf::simt::has_cooperative_launches()}
           : attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin
               ? static_cast<int>(dsf::simt::max_shared_bytes())
               : 0;
  return cudaSuccess;
}
struct cudaFuncAttributes {};
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, const void*) {
  return dsf::simt::has_kernels() ? cudaSuccess : cudaErrorNoKernelImageForDevice;
}
enum cudaMemcpyKind {
  cudaMemcpyHostToHost = 0,
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3
};
struct CUstream_st;
using cudaStream_t = CUstream_st*;

inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess                       ? "no error"
         : error == cudaErrorMemoryAllocation       ? "out of memory"
         : error == cudaErrorNoKernelImageForDevice ? "no kernel image is available"
                                                    : "invalid argument";
}
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaMalloc(void** memory, size_t bytes) {
  if (bytes > dsf::simt::max_allocation()) return cudaErrorMemoryAllocation;
  *memory = dsf::simt::allocate(bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* memory) {
  dsf::simt::release(memory);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t) {
  using dsf::simt::Copy;
  if (kind == cudaMemcpyHostToHost) return cudaErrorInvalidValue;
  dsf::simt::copy(to, from, bytes,
                  kind == cudaMemcpyHostToDevice   ? Copy::to_device
                  : kind == cudaMemcpyDeviceToHost ? Copy::to_host
                                                   : Copy::on_device);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  dsf::simt::fill(memory, value, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  if (dsf::simt::recording()) return cudaErrorInvalidValue;
  dsf::simt::synchronize();
  return cudaSuccess;
}
enum { cudaStreamNonBlocking = 1 };
/// Streams are told apart by name only: one does its work before the next call returns, or, late
/// (simt.h), when any is waited for.
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  static char streams[1024];
  static size_t count = 0;
  *stream = reinterpret_cast<cudaStream_t>(&streams[count++ % sizeof streams]);
  dsf::simt::count_stream(1);
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) {
  dsf::simt::count_stream(-1);
  return cudaSuccess;
}
inline cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone = 0, cudaStreamCaptureStatusActive = 1 };
inline cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = dsf::simt::recording() ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
using cudaGraph_t = dsf::simt::Recording*;
using cudaGraphExec_t = dsf::simt::Recording*;
/// As CUDA has it, the stream that all share cannot be recorded.
inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream) return cudaErrorInvalidValue;
  dsf::simt::begin_recording();
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = new dsf::simt::Recording(dsf::simt::end_recording());
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                        unsigned long long) {
  *executable = new dsf::simt::Recording(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  for (const auto& work : *executable) work();
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
inline cudaError_t cudaDeviceSynchronize() {
  return cudaStreamSynchronize(nullptr);
}
