// What lets the host run ahead of the GPU: small copies that nobody waits for.
#include "engine/generation/generator.h"
#include "kernels/common/device_memory.h"
#include "tests/simt/device_array.h"
#include "tests/small_model.h"

namespace dsf::simt {
namespace {

using Values = std::vector<float>;

Context gpu() {
  static void* const stream = cuda::create_stream();
  return {Device::cuda, stream};
}

/// Work is done as late as it may be while this lives.
struct Late {
  Late() { set_late(true); }
  ~Late() { set_late(false); }
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;
};

TEST(SimtQueuedNumbers, SmallCopiesAreReadAtOnceAndNotWaitedFor) {
  const Late late;
  for (const size_t words : {1, 255, 256, 257, 1024, 1025}) {
    std::vector<int> from = numbers<int>(words);
    const DeviceArray<int> to(words);
    const int64_t waits = host_calls().waits;
    cuda::copy_to_device(gpu(), to.data(), from.data(), words * sizeof(int));
    EXPECT_EQ(host_calls().waits - waits, words <= 1024 ? 0 : 1) << words;
    std::ranges::fill(from, -1);
    std::vector<int> values(words, -2);
    copy_to_host(gpu(), values.data(), to.data(), words * sizeof(int));
    EXPECT_EQ(values, numbers<int>(words));
  }
  // What no kernel can store word by word.
  const char letters[] = "abcdefg";
  const DeviceArray<char> to(8);
  cuda::copy_to_device(gpu(), to.data() + 1, letters, 7);
  char copy[7];
  copy_to_host(gpu(), copy, to.data() + 1, 7);
  EXPECT_EQ(std::string(copy, 7), letters);
}

TEST(SimtQueuedNumbers, FramesOfOtherConditionsAreNotWaitedFor) {
  const Late late;
  const ModelConfig config = testing::stored_model();
  const ParameterTable table(config);
  Values weights(static_cast<size_t>(table.size()));
  table.initialise({weights.data(), {table.size()}}, 9);
  const auto generator =
      make_cached_generator(config, table, {weights.data(), {table.size()}}, {}, {}, gpu());
  const HostCalls before = host_calls();
  for (int64_t frame = 0; frame < generator->capacity(); ++frame) {
    generator->draw(Values(size_t(config.cond_size()), static_cast<float>(frame)).data());
  }
  EXPECT_EQ(host_calls().recordings - before.recordings, 1);
  EXPECT_EQ(host_calls().waits - before.waits, 0);
  EXPECT_EQ(generator->fetch().dim(0), generator->capacity());
  EXPECT_EQ(host_calls().waits - before.waits, 1);
}

}  // namespace
}  // namespace dsf::simt
