#pragma once
// Memory of the GPU, for the host. Declared weak as every CUDA form is: see dispatch.h.
#include <cstddef>

#include "kernels/common/context.h"

namespace dsf::cuda {

[[gnu::weak]] void* allocate(size_t bytes);
[[gnu::weak]] void release(void* memory);
/// Queued on the stream of `ctx`; what is read must stay until `synchronize`.
[[gnu::weak]] void copy_to_device(const Context& ctx, void* to, const void* from, size_t bytes);
[[gnu::weak]] void copy_to_host(const Context& ctx, void* to, const void* from, size_t bytes);
[[gnu::weak]] void copy_on_device(const Context& ctx, void* to, const void* from, size_t bytes);
/// Waits until all that was queued on the stream of `ctx` is done.
[[gnu::weak]] void synchronize(const Context& ctx);
/// Of the GPUs that can be used; 0 where there is none.
[[gnu::weak]] int device_count();

}  // namespace dsf::cuda
