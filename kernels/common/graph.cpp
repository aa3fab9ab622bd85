#include "kernels/common/graph.h"

#include "kernels/common/checks.h"

namespace dsf {

Graph::~Graph() {
  if (executable_) cuda::release_graph(executable_);
}

void Graph::record(const std::function<void()>& work) {
  DSF_CHECK(ctx_.device == Device::cuda, "a recording on the CPU");
  DSF_CHECK(!recorded(), "a second recording");
  executable_ = cuda::record_graph(ctx_, work);
}

void Graph::launch() const {
  DSF_CHECK(recorded(), "launch of a graph that was not recorded");
  cuda::launch_graph(ctx_, executable_);
}

}  // namespace dsf
