#include "kernels/common/graph.h"

#include "kernels/common/checks.h"

namespace dsf {

Graph::~Graph() {
  if (executable_) cuda::release_graph(executable_);
}

void Graph::record(const std::function<void()>& work) {
  if (ctx_.device == Device::cpu) {
    work_ = work;
  } else {
    executable_ = cuda::record_graph(ctx_, work, executable_);
  }
}

void Graph::launch() const {
  if (ctx_.device == Device::cuda) {
    DSF_CHECK(executable_ != nullptr, "launch of a graph that was not recorded");
    return cuda::launch_graph(ctx_, executable_);
  }
  DSF_CHECK(static_cast<bool>(work_), "launch of a graph that was not recorded");
  work_();
}

}  // namespace dsf
