#include "kernels/common/memory.h"

#include <cstring>
#include <new>

#include "kernels/common/device_memory.h"
#include "kernels/common/dispatch.h"

namespace dsf {

static constexpr std::align_val_t kAlignment{64};

void* allocate(const Context& ctx, size_t bytes) {
  if (ctx.device == Device::cuda) {
    if (!cuda::allocate) detail::fail_without_cuda_form("allocate");
    void* memory = cuda::allocate(bytes);
    cuda::fill_zero(ctx, memory, bytes);
    return memory;
  }
  void* memory = ::operator new(bytes, kAlignment);
  std::memset(memory, 0, bytes);
  return memory;
}

void release(const Context& ctx, void* memory) {
  if (ctx.device == Device::cuda) return cuda::release(memory);
  ::operator delete(memory, kAlignment);
}

void copy_to_device(const Context& ctx, void* to, const void* from, size_t bytes) {
  if (ctx.device == Device::cuda) return cuda::copy_to_device(ctx, to, from, bytes);
  std::memcpy(to, from, bytes);
}

void copy_on_device(const Context& ctx, void* to, const void* from, size_t bytes) {
  if (ctx.device == Device::cuda) return cuda::copy_on_device(ctx, to, from, bytes);
  std::memcpy(to, from, bytes);
}

void copy_to_host(const Context& ctx, void* to, const void* from, size_t bytes) {
  if (ctx.device == Device::cuda) {
    cuda::copy_to_host(ctx, to, from, bytes);
    return cuda::synchronize(ctx);
  }
  std::memcpy(to, from, bytes);
}

}  // namespace dsf
