#pragma once
// Memory and streams of the GPU, for the host. Declared weak as every CUDA form is: see dispatch.h.
#include <cstddef>
#include <string>

#include "kernels/common/context.h"

namespace dsf::cuda {

[[gnu::weak]] void* allocate(size_t bytes);
/// Whatever CUDA says: it says the same again of every call behind a failed kernel, and what that
/// was is told by whoever waited for it.
[[gnu::weak]] void release(void* memory) noexcept;
[[gnu::weak]] void fill_zero(const Context& ctx, void* memory, size_t bytes);
/// Behind what is queued on the stream of `ctx`, and before what is queued there later; `from` has
/// been read when this returns. A few values are queued without waiting, many are waited for. Not
/// while a graph is recorded.
[[gnu::weak]] void copy_to_device(const Context& ctx, void* to, const void* from, size_t bytes);
/// Queued on the stream of `ctx`; there after `synchronize`.
[[gnu::weak]] void copy_to_host(const Context& ctx, void* to, const void* from, size_t bytes);
[[gnu::weak]] void copy_on_device(const Context& ctx, void* to, const void* from, size_t bytes);
/// Waits until all that was queued on the stream of `ctx` is done.
[[gnu::weak]] void synchronize(const Context& ctx);
/// A stream of its own. What is queued there when it is released is still done.
[[gnu::weak]] void* create_stream();
[[gnu::weak]] void release_stream(void* stream) noexcept;
/// Of the GPUs that can be used; 0 where there is none.
[[gnu::weak]] int device_count();
/// What the GPU that is used lacks of what the engine needs, in words; empty: nothing.
[[gnu::weak]] std::string device_lacks();

}  // namespace dsf::cuda
