// cuDNN has plans for the official codec's convolutions on an H100, and they round no more than is
// asked. No GPU is needed: cuDNN plans for one that is described. What it computes is tested on a
// GPU (tests/cuda/convolution_tiles_test.cpp).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/common/checks.h"
#include "kernels/cudnn/plan.h"
#include "tests/expect_error.h"

namespace dsf::cudnn {
namespace {

/// An H100's properties, as CUDA gives them, by cuDNN's names.
constexpr const char* kH100 = R"({
  "deviceName": "NVIDIA H100 80GB HBM3", "cudaDeviceId": 0, "deviceVer": 900, "driverVer": 13000,
  "totalGlobalMem": 85029158912, "maxGridSize": [2147483647, 65535, 65535],
  "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536, "multiProcessorCount": 132,
  "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "l2CacheSize": 52428800, "warpSize": 32,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
  "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536, "pciDeviceId": 0,
  "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "isTccDriver": 0,
  "supportCoopLaunch": 1})";

Convolution forward(int64_t frames, int64_t inputs, int64_t outputs, int64_t kernel,
                    int64_t dilation, int64_t stride = 1) {
  Convolution c;
  c.sequences = 1;
  c.frames = frames;
  c.inputs = inputs;
  c.outputs = outputs;
  c.kernel = kernel;
  c.stride = stride;
  c.dilation = dilation;
  c.padding = stride > 1 ? (stride + 1) / 2 : dilation * (kernel - 1) / 2;
  c.length = (frames + 2 * c.padding - dilation * (kernel - 1) - 1) / stride + 1;
  return c;
}

Convolution transposed(int64_t frames, int64_t inputs, int64_t outputs, int64_t stride) {
  Convolution c = forward(frames, inputs, outputs, 2 * stride, 1);
  c.transposed = true;
  c.stride = stride;
  c.padding = (stride + 1) / 2;
  c.length = (frames - 1) * stride - 2 * c.padding + c.kernel;
  return c;
}

/// Of the official decoder and encoder, of `frames` latent frames.
std::vector<Convolution> official(int64_t frames) {
  std::vector<Convolution> all = {forward(frames, 1024, 1536, 7, 1)};
  const auto add_units = [&](int64_t length, int64_t channels) {
    for (const int64_t dilation : {1, 3, 9}) {
      all.push_back(forward(length, channels, channels, 7, dilation));
    }
    all.push_back(forward(length, channels, channels, 1, 1));
  };
  int64_t channels = 1536, length = frames;
  for (const int64_t rate : {8, 8, 4, 2}) {
    all.push_back(transposed(length, channels, channels / 2, rate));
    channels /= 2;
    length *= rate;
    add_units(length, channels);
  }
  channels = 64;
  for (const int64_t rate : {2, 4, 8, 8}) {
    add_units(length, channels);
    all.push_back(forward(length, channels, 2 * channels, 2 * rate, 1, rate));
    channels *= 2;
    length /= rate;
  }
  return all;
}

bool has(const Plan& plan, cudnnBackendNumericalNote_t note) {
  return std::ranges::find(plan.notes, note) != plan.notes.end();
}

class CudnnPlans : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = lacks(); !missing.empty()) {
      GTEST_SKIP() << "SKIPPED: " << missing;
    }
  }
};

TEST_F(CudnnPlans, AreThereForTheOfficialCodec) {
  const Target h100(kH100);
  int64_t on_tensor_cores = 0, without = 0, all = 0, workspace = 0;
  for (const int64_t frames : {87, 430, 1044}) {  // the last: as long files are decoded
    for (const Convolution& c : official(frames)) {
      const std::string name =
          fmt::format("{} x {} -> {}, k{} d{} s{}{}", c.frames, c.inputs, c.outputs, c.kernel,
                      c.dilation, c.stride, c.transposed ? " transposed" : "");
      const std::optional<Plan> exact = find_plan(h100, c, Precision::fp32);
      without += !exact;
      if (exact) {
        EXPECT_FALSE(has(*exact, CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) << name;
      }
      const std::optional<Plan> tf32 = find_plan(h100, c, Precision::tf32);
      ASSERT_TRUE(tf32) << name;
      for (const std::optional<Plan>* plan : {&exact, &tf32}) {
        if (!*plan) continue;
        EXPECT_FALSE(has(**plan, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) << name;
        EXPECT_FALSE(has(**plan, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) << name;
        EXPECT_GE((*plan)->workspace_bytes, 0) << name;
        workspace = std::max(workspace, (*plan)->workspace_bytes);
      }
      ++all;
      on_tensor_cores += has(*tf32, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
    }
  }
  fmt::print(
      "{} convolutions: {} without a plan in float32, {} on tensor cores in TF32; {} MB of "
      "workspace at most\n",
      all, without, on_tensor_cores, workspace / 1'000'000);
  EXPECT_GT(on_tensor_cores, all / 2);
  // Most of them transposed: of their first choices none is as is_allowed wants it.
  EXPECT_LT(without, all / 8);
}

TEST_F(CudnnPlans, AreNotMadeOfLengthsThatDisagree) {
  const Target h100(kH100);
  for (Convolution c : {forward(87, 32, 64, 7, 3), transposed(87, 64, 32, 4)}) {
    ASSERT_TRUE(find_plan(h100, c, Precision::fp32));
    c.length += c.stride;
    testing::expect_error<Error>([&] { find_plan(h100, c, Precision::fp32); },
                                 {"cuDNN, finishing a description: CUDNN_STATUS_BAD_PARAM ("});
  }
}

TEST_F(CudnnPlans, AreNotMadeForAGpuThatIsNotDescribed) {
  testing::expect_error<Error>([] { const Target target("{}"); },
                               {"cuDNN, finishing a description"});
}

}  // namespace
}  // namespace dsf::cudnn
