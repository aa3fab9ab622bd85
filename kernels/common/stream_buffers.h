#pragma once
// Memory that what is queued on a stream works in. Work of one stream follows each other and shares
// it; that of two does not.
#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/common/launch.h"

namespace dsf::cuda {

class StreamBuffers {
 public:
  /// At least `bytes` for work on the stream of `ctx`, aligned as cudaMalloc has it. What was given
  /// out before for that stream stays allocated: a recorded graph has its address.
  void* of(const Context& ctx, size_t bytes) {
    const std::lock_guard lock(mutex_);
    std::vector<Buffer>& buffers = buffers_[ctx.stream];
    const size_t last = buffers.empty() ? 0 : buffers.back().bytes;
    if (bytes > last) {
      // Few buffers, however sizes come, and little that is never used.
      Buffer buffer{nullptr, std::max(bytes, last + std::min(last, size_t{64} << 20))};
      check_cuda(cudaMalloc(&buffer.memory, buffer.bytes), "cudaMalloc");
      buffers.push_back(buffer);
    }
    return buffers.back().memory;
  }

  /// Frees a stream's, when what is queued there is done.
  void release(void* stream) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = buffers_.find(stream);
    if (found == buffers_.end()) return;
    for (const Buffer& buffer : found->second) {
      static_cast<void>(cudaFree(buffer.memory));  // which waits
    }
    buffers_.erase(found);
  }

 private:
  struct Buffer {
    void* memory = nullptr;
    size_t bytes = 0;
  };
  std::mutex mutex_;
  std::map<void*, std::vector<Buffer>> buffers_;
};

}  // namespace dsf::cuda
