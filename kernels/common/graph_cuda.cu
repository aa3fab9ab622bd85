#include "kernels/common/graph.h"

#include "kernels/common/launch.h"

namespace dsf::cuda {

/// What `work` queues on the stream of `ctx`, without running it.
static cudaGraph_t capture(const Context& ctx, const std::function<void()>& work) {
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
  return graph;
}

void* record_graph(const Context& ctx, const std::function<void()>& work, void* executable) {
  const cudaGraph_t graph = capture(ctx, work);
  auto made = static_cast<cudaGraphExec_t>(executable);
  cudaGraphExecUpdateResultInfo ignored{};
  if (made && cudaGraphExecUpdate(made, graph, &ignored) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // of another structure: not an error
    check_cuda(cudaGraphExecDestroy(made), "dropping a graph");
    made = nullptr;
  }
  if (!made) check_cuda(cudaGraphInstantiate(&made, graph, 0), "preparing a graph");
  check_cuda(cudaGraphDestroy(graph), "dropping a recording");
  return made;
}

void launch_graph(const Context& ctx, void* executable) {
  check_cuda(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable), stream_of(ctx)),
             "launching a graph");
}

void release_graph(void* executable) {
  check_cuda(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable)), "dropping a graph");
}

}  // namespace dsf::cuda
