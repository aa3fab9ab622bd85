#include "kernels/common/device_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/common/launch.h"

namespace dsf::cuda {

void* allocate(size_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMalloc(&memory, bytes), "cudaMalloc");
  return memory;
}

void release(void* memory) noexcept {
  static_cast<void>(cudaFree(memory));
}

void fill_zero(const Context& ctx, void* memory, size_t bytes) {
  check_cuda(cudaMemsetAsync(memory, 0, bytes, stream_of(ctx)), "cudaMemset");
}

void synchronize(const Context& ctx) {
  check_cuda(cudaStreamSynchronize(stream_of(ctx)), "kernels queued before");
}

// A few values travel as a kernel's parameters, which CUDA has copied when the launch returns. So
// the host may change them at once, and need not wait until the GPU, which may be many frames
// behind, has read them, as a copy from ordinary (pageable) memory makes it.
static constexpr int kWords = 256;  // a launch's
static constexpr size_t kMaxLaunches = 4;

namespace {

struct Words {
  uint32_t word[kWords];
};

}  // namespace

__global__ static void store_kernel(uint32_t* to, const __grid_constant__ Words words, int count) {
  const int at = static_cast<int>(threadIdx.x);
  if (at < count) to[at] = words.word[at];
}

static bool fits_parameters(const void* to, size_t bytes) {
  return bytes <= kMaxLaunches * sizeof(Words) && bytes % sizeof(uint32_t) == 0 &&
         reinterpret_cast<uintptr_t>(to) % alignof(uint32_t) == 0;
}

static void store(const Context& ctx, uint32_t* to, const void* from, size_t bytes) {
  for (size_t first = 0; first < bytes; first += sizeof(Words)) {
    Words words{};
    const size_t size = std::min(bytes - first, sizeof words);
    std::memcpy(&words, static_cast<const std::byte*>(from) + first, size);
    launch(store_kernel, 1, kWords, 0, stream_of(ctx), to + first / sizeof(uint32_t), words,
           static_cast<int>(size / sizeof(uint32_t)));
  }
}

void copy_to_device(const Context& ctx, void* to, const void* from, size_t bytes) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_cuda(cudaStreamIsCapturing(stream_of(ctx), &status), "asking whether a graph is recorded");
  DSF_CHECK(status == cudaStreamCaptureStatusNone,
            "a copy of {} bytes from the host while a graph is recorded", bytes);
  if (fits_parameters(to, bytes)) return store(ctx, static_cast<uint32_t*>(to), from, bytes);
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(ctx)),
             "copy to the device");
  synchronize(ctx);
}

void copy_to_host(const Context& ctx, void* to, const void* from, size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(ctx)),
             "copy to the host");
}

void copy_on_device(const Context& ctx, void* to, const void* from, size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(ctx)),
             "copy on the device");
}

void* create_stream() {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
  return stream;
}

void release_stream(void* stream) noexcept {
  static_cast<void>(cudaStreamDestroy(static_cast<cudaStream_t>(stream)));
}

std::string device_lacks() {
  cudaFuncAttributes ignored{};
  // Any kernel will do: all are compiled for the same architectures.
  const void* kernel = reinterpret_cast<const void*>(store_kernel);
  if (const cudaError_t error = cudaFuncGetAttributes(&ignored, kernel); error != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // it is told here, and not by the next call
    return fmt::format(
        "kernels of this program for its compute capability, {}.{} (CUDA says: {}); they are "
        "chosen by CMAKE_CUDA_ARCHITECTURES",
        device_attribute(cudaDevAttrComputeCapabilityMajor),
        device_attribute(cudaDevAttrComputeCapabilityMinor), cudaGetErrorString(error));
  }
  return device_attribute(cudaDevAttrCooperativeLaunch) != 0
             ? ""
             : "cooperative launches, by which frames are generated";
}

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

}  // namespace dsf::cuda
