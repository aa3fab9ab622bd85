#pragma once
// How kernels are launched: launch(kernel, grid, block, shared bytes, stream, arguments…), or
// launch_cooperative, whose blocks run all at once and can wait for each other (grid.h).
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "kernels/common/checks.h"
#include "kernels/common/code_line.h"
#include "kernels/common/context.h"
#include "kernels/common/cuda.h"

namespace dsf::cuda {

/// Throws an Error that names the call and CUDA's reason.
inline void check_cuda(cudaError_t error, const char* what, CodeLine site = CodeLine::here()) {
  if (error == cudaSuccess) return;
  fail("{} at {}:{}: {}", what, site.file, site.line, cudaGetErrorString(error));
}

inline cudaStream_t stream_of(const Context& ctx) {
  return static_cast<cudaStream_t>(ctx.stream);
}

/// Blocks or threads that cover `count` elements, `size` each.
constexpr int64_t divide_up(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

/// The blocks of a launch, and the line that asks for them.
struct Grid {
  dim3 size;
  CodeLine site;

  Grid(int64_t blocks, CodeLine where = CodeLine::here())
      : size(static_cast<unsigned>(blocks)), site(where) {
    DSF_CHECK(blocks >= 1 && blocks <= 0x7FFFFFFF, "{} blocks at {}:{}", blocks, site.file,
              site.line);
  }
  Grid(dim3 blocks, CodeLine where = CodeLine::here()) : size(blocks), site(where) {
    const auto fits = [](unsigned count, unsigned limit) { return count >= 1 && count <= limit; };
    DSF_CHECK(fits(size.x, 0x7FFFFFFF) && fits(size.y, 65535) && fits(size.z, 65535),
              "{} x {} x {} blocks at {}:{}; limits: 1 to 2147483647 x 65535 x 65535", size.x,
              size.y, size.z, site.file, site.line);
  }
};

/// What the device in use says of itself.
inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  check_cuda(cudaGetDevice(&device), "asking which device is used");
  check_cuda(cudaDeviceGetAttribute(&value, attribute, device), "asking what a device can do");
  return value;
}

inline int multiprocessors() {
  return device_attribute(cudaDevAttrMultiProcessorCount);
}

/// Bytes of shared memory that a block can have, static and dynamic: 227 KiB on Hopper, 99 to 163
/// on what else is from Ampere on.
inline size_t max_shared_bytes() {
  return static_cast<size_t>(device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
}

namespace detail {

#ifndef DSF_SIMT
/// Lets a kernel's blocks have so many bytes of dynamic shared memory, or more where another thread
/// needs more of them: what is allowed is the kernel's, not a launch's.
inline void allow_shared(const void* kernel, size_t bytes, CodeLine site) {
  if (bytes <= 48 * 1024) return;
  static std::mutex mutex;
  static std::map<std::pair<int, const void*>, size_t> allowed;
  int device = 0;
  check_cuda(cudaGetDevice(&device), "asking which device is used", site);
  const std::lock_guard lock(mutex);
  size_t& most = allowed[{device, kernel}];
  if (bytes <= most) return;
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(bytes)),
             "shared memory of the launch", site);
  most = bytes;
}
#endif

template <class... Parameters, class... Arguments>
void launch(bool cooperative, void (*kernel)(Parameters...), const Grid& grid, dim3 block,
            size_t shared, cudaStream_t stream, Arguments&&... arguments) {
#ifdef DSF_SIMT
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> parameters;
  };
  const Call call{kernel, {static_cast<Parameters>(std::forward<Arguments>(arguments))...}};
  static_cast<void>(stream);
  simt::launch(
      {grid.size, block, shared, cooperative, grid.site},
      [](const void* self) {
        const Call& queued = *static_cast<const Call*>(self);
        std::apply(queued.kernel, queued.parameters);
      },
      &call, sizeof call);
#else
  allow_shared(reinterpret_cast<const void*>(kernel), shared, grid.site);
  cudaLaunchConfig_t config{};
  config.gridDim = grid.size;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  cudaLaunchAttribute together{};
  together.id = cudaLaunchAttributeCooperative;
  together.val.cooperative = 1;
  if (cooperative) {
    config.attrs = &together;
    config.numAttrs = 1;
    int resident = 0;  // blocks of a multiprocessor
    check_cuda(cudaOccupancyMaxActiveBlocksPerMultiprocessor(
                   &resident, kernel, static_cast<int>(block.x * block.y * block.z), shared),
               "asking how many blocks run at once", grid.site);
    const int64_t limit = int64_t{resident} * multiprocessors();
    const int64_t blocks = int64_t{grid.size.x} * grid.size.y * grid.size.z;
    DSF_CHECK(blocks <= limit, "{} cooperative blocks at {}:{}, of which {} run at once", blocks,
              grid.site.file, grid.site.line, limit);
  }
  check_cuda(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...), "launch",
             grid.site);
#endif
}

}  // namespace detail

/// Queues `kernel` on `stream` with `shared` bytes of dynamic shared memory, more than 48 KiB too.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), const Grid& grid, dim3 block, size_t shared,
            cudaStream_t stream, Arguments&&... arguments) {
  detail::launch(false, kernel, grid, block, shared, stream, std::forward<Arguments>(arguments)...);
}

/// The same of blocks that run all at once; more than the device holds are an Error.
template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), const Grid& grid, dim3 block, size_t shared,
                        cudaStream_t stream, Arguments&&... arguments) {
  detail::launch(true, kernel, grid, block, shared, stream, std::forward<Arguments>(arguments)...);
}

}  // namespace dsf::cuda
