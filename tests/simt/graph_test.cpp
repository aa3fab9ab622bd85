// Recorded work on the simulated GPU, and what is refused while it is recorded.
#include "kernels/common/graph.h"

#include "kernels/common/device_memory.h"
#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

Context gpu() {
  return {Device::cuda, cuda::create_stream()};
}

__global__ void add_kernel(int* value, int amount) {
  *value += amount;
}

void add(const Context& ctx, const DeviceArray<int>& value, int amount) {
  cuda::launch(add_kernel, 1, 1, 0, cuda::stream_of(ctx), value.data(), amount);
}

TEST(SimtGraph, RunsAtEachLaunchWithTheArgumentsOfTheRecording) {
  const Context ctx = gpu();
  const DeviceArray<int> value(std::vector<int>{0});
  Graph graph(ctx);
  int amount = 3;
  graph.record([&] {
    add(ctx, value, amount);
    add(ctx, value, 1);
  });
  EXPECT_EQ(value.values(), std::vector<int>{0}) << "only recorded";
  amount = 50;
  graph.launch();
  graph.launch();
  EXPECT_EQ(value.values(), std::vector<int>{8});
  EXPECT_THROW(graph.record([&] { add(ctx, value, amount); }), Error) << "once";
}

TEST(SimtGraph, RefusesToWaitOrAllocateAndEndsTheRecording) {
  const Context ctx = gpu();
  const DeviceArray<int> value(std::vector<int>{0});
  Graph graph(ctx);
  EXPECT_THROW(graph.record([&] { cuda::synchronize(ctx); }), Error);
  EXPECT_THROW(graph.record([&] { cuda::allocate(8); }), Error);
  const int one = 1;
  EXPECT_THROW(graph.record([&] { cuda::copy_to_device(ctx, value.data(), &one, sizeof one); }),
               Error);
  EXPECT_THROW(graph.launch(), Error) << "nothing was recorded";
  EXPECT_THROW(Graph(Context{}).record([] {}), Error) << "on the CPU";
  EXPECT_THROW(Graph(Context{Device::cuda}).record([] {}), Error) << "the stream that all share";
  add(ctx, value, 4);
  EXPECT_EQ(value.values(), std::vector<int>{4}) << "done, not recorded";
}

}  // namespace
}  // namespace dsf::simt
