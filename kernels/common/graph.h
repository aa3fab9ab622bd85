#pragma once
// Work of many ops on a GPU, recorded and queued with one call: a CUDA graph.
#include <functional>

#include "kernels/common/context.h"

namespace dsf {

class Graph {
 public:
  /// Of work on the context's stream, which must be one of make_context. A context of the CPU has
  /// nothing to record.
  explicit Graph(const Context& ctx) : ctx_(ctx) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Records what `work` queues, once. It must have run
  /// outside of a graph (libraries allocate in their first call) and may neither allocate nor wait.
  /// Sizes, addresses and numbers are recorded as they are now; only device memory may be read for
  /// what is to change from launch to launch.
  void record(const std::function<void()>& work);
  bool recorded() const { return executable_ != nullptr; }
  /// Queues what was recorded.
  void launch() const;

 private:
  Context ctx_;
  void* executable_ = nullptr;
};

namespace cuda {

[[gnu::weak]] void* record_graph(const Context& ctx, const std::function<void()>& work);
[[gnu::weak]] void launch_graph(const Context& ctx, void* executable);
[[gnu::weak]] void release_graph(void* executable) noexcept;

}  // namespace cuda
}  // namespace dsf
