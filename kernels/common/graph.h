#pragma once
// Work of many ops, recorded once and queued again with one call: on a GPU as a CUDA graph, whose
// launch costs the host what one kernel's does; on the CPU as the function itself.
#include <functional>

#include "kernels/common/context.h"

namespace dsf {

class Graph {
 public:
  /// Work on the context's stream, which must be one of make_context.
  explicit Graph(const Context& ctx) : ctx_(ctx) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Records what `work` queues, in the place of what was recorded before. It must have run once
  /// outside of a graph (libraries allocate in their first call) and may neither allocate nor wait.
  /// Sizes, addresses and numbers are recorded as they are now; only device memory may be read for
  /// what is to change from launch to launch. On the CPU it runs at each launch.
  void record(const std::function<void()>& work);
  /// Queues what was recorded.
  void launch() const;

 private:
  Context ctx_;
  std::function<void()> work_;  // CPU
  void* executable_ = nullptr;  // GPU
};

namespace cuda {

/// Records into `executable`, which is updated where it can be, else replaced; null: a new one.
[[gnu::weak]] void* record_graph(const Context& ctx, const std::function<void()>& work,
                                 void* executable);
[[gnu::weak]] void launch_graph(const Context& ctx, void* executable);
[[gnu::weak]] void release_graph(void* executable);

}  // namespace cuda
}  // namespace dsf
