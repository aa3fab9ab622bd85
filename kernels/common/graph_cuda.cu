#include "kernels/common/graph.h"

#include <memory>
#include <type_traits>

#include "kernels/common/launch.h"

namespace dsf::cuda {

namespace {

struct DropGraph {
  void operator()(cudaGraph_t graph) const { cudaGraphDestroy(graph); }
};
using OwnedGraph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, DropGraph>;

/// What `work` queues on the stream of `ctx`, without running it.
OwnedGraph capture(const Context& ctx, const std::function<void()>& work) {
  cudaGraph_t graph = nullptr;
  check_cuda(cudaStreamBeginCapture(stream_of(ctx), cudaStreamCaptureModeThreadLocal),
             "beginning to record");
  try {
    work();
  } catch (...) {  // the stream must leave the recording, whatever became of it
    if (cudaStreamEndCapture(stream_of(ctx), &graph) == cudaSuccess) cudaGraphDestroy(graph);
    throw;
  }
  check_cuda(cudaStreamEndCapture(stream_of(ctx), &graph), "recording");
  return OwnedGraph(graph);
}

}  // namespace

void* record_graph(const Context& ctx, const std::function<void()>& work) {
  const OwnedGraph graph = capture(ctx, work);
  cudaGraphExec_t executable = nullptr;
  check_cuda(cudaGraphInstantiate(&executable, graph.get(), 0), "preparing a graph");
  return executable;
}

void launch_graph(const Context& ctx, void* executable) {
  check_cuda(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable), stream_of(ctx)),
             "launching a graph");
}

void release_graph(void* executable) noexcept {
  static_cast<void>(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable)));
}

}  // namespace dsf::cuda
