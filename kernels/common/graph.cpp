#include "kernels/common/graph.h"

#include <utility>

#include "kernels/common/checks.h"

namespace dsf {

Graph::~Graph() {
  if (executable_) cuda::release_graph(executable_);
}

void Graph::record(const std::function<void()>& work) {
  DSF_CHECK(ctx_.device == Device::cuda, "a recording on the CPU");
  executable_ = cuda::record_graph(ctx_, work, std::exchange(executable_, nullptr));
}

void Graph::launch() const {
  DSF_CHECK(executable_ != nullptr, "launch of a graph that was not recorded");
  cuda::launch_graph(ctx_, executable_);
}

}  // namespace dsf
