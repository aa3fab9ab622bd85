#include "kernels/common/device_memory.h"
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

void copy_to_device(const Context& ctx, void* to, const void* from, size_t bytes) {
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

int device_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

}  // namespace dsf::cuda
