#include "kernels/cudnn/convolution.h"

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "kernels/common/stream_buffers.h"
#include "kernels/cudnn/plan.h"

namespace dsf::cudnn {
namespace {

/// What cuDNN has for the work of one stream.
class Stream {
 public:
  explicit Stream(const Context& ctx) : handle_(started()), target_(handle_.get()) {
    check(functions().cudnnSetStream(handle_.get(), cuda::stream_of(ctx)), "taking a stream");
  }

  const std::optional<Plan>& plan_for(const Context& ctx, const Convolution& c) {
    const Key key{c.transposed, c.sequences, c.frames,   c.inputs,  c.length,     c.outputs,
                  c.kernel,     c.stride,    c.dilation, c.padding, ctx.precision};
    const auto known = plans_.find(key);
    if (known != plans_.end()) return known->second;
    if (plans_.size() == kMostPlans) {
      cuda::check_cuda(cudaStreamSynchronize(cuda::stream_of(ctx)), "waiting for plans' work");
      plans_.clear();
    }
    return plans_.emplace(key, find_plan(target_, c, ctx.precision)).first->second;
  }

  void run(const Plan& plan, void* workspace, float* y, const float* x, const float* w) const {
    Descriptor operands(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    operands.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64,
                 std::vector<int64_t>{kX, kW, kY});
    operands.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
                 std::vector<const void*>{x, w, y});
    operands.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
    operands.finalize();
    check(
        functions().cudnnBackendExecute(handle_.get(), plan.descriptor.handle(), operands.handle()),
        "a convolution");
  }

 private:
  using Key = std::tuple<bool, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
                         int64_t, int64_t, Precision>;

  struct Destroy {
    void operator()(cudnnHandle_t handle) const { functions().cudnnDestroy(handle); }
  };
  using Handle = std::unique_ptr<cudnnContext, Destroy>;

  /// A plan takes some 35 KB; a decoder has 29 for each length of its parts.
  static constexpr size_t kMostPlans = 1024;

  static Handle started() {
    cudnnHandle_t handle = nullptr;
    check(functions().cudnnCreate(&handle), "starting");
    return Handle(handle);
  }

  Handle handle_;
  Target target_;
  std::map<Key, std::optional<Plan>> plans_;
};

/// All streams that have convolved; outlives all that may still be queued.
struct Streams {
  std::mutex mutex;
  std::map<void*, std::unique_ptr<Stream>> streams;
  cuda::StreamBuffers workspaces;

  static Streams& get() {
    static auto* all = new Streams;
    return *all;
  }
  Stream& of(const Context& ctx) {
    std::unique_ptr<Stream>& stream = streams[ctx.stream];
    if (!stream) stream = std::make_unique<Stream>(ctx);
    return *stream;
  }
};

}  // namespace

std::string lacks() {
  return functions().missing;
}

bool can_convolve(const Context& ctx, const Convolution& c) {
  if (!lacks().empty()) return false;
  Streams& all = Streams::get();
  const std::lock_guard lock(all.mutex);
  return all.of(ctx).plan_for(ctx, c).has_value();
}

void convolve(const Context& ctx, const Convolution& c, float* y, const float* x, const float* w) {
  Streams& all = Streams::get();
  const std::lock_guard lock(all.mutex);
  Stream& stream = all.of(ctx);
  const std::optional<Plan>& plan = stream.plan_for(ctx, c);
  if (!plan) fail("cuDNN has no plan for a convolution of {} frames", c.frames);
  const auto bytes = static_cast<size_t>(plan->workspace_bytes);
  stream.run(*plan, bytes == 0 ? nullptr : all.workspaces.of(ctx, bytes), y, x, w);
}

void release(void* stream) noexcept {
  Streams& all = Streams::get();
  const std::lock_guard lock(all.mutex);
  if (!all.streams.contains(stream)) return;
  static_cast<void>(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
  all.streams.erase(stream);
  all.workspaces.release(stream);
}

}  // namespace dsf::cudnn
