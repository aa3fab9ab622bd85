// Large products in bf16, whose operands are rounded before (kernels/linear/bf16_operands.h). On
// the simulated GPU, where every size is large enough, small ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <span>

#include "kernels/linear/bf16_operands.h"
#include "tests/cuda/orders.h"
#include "tests/cuda_case.h"
#include "tests/simt/cuda_half.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

/// Memory of the device with `values`.
template <class T>
class Uploaded {
 public:
  explicit Uploaded(const std::vector<T>& values)
      : count_(values.size()), memory_(cuda::allocate(count_ * sizeof(T))) {
    cuda::copy_to_device(ctx_, memory_, values.data(), count_ * sizeof(T));
    cuda::synchronize(ctx_);
  }
  ~Uploaded() { cuda::release(memory_); }
  Uploaded(const Uploaded&) = delete;
  Uploaded& operator=(const Uploaded&) = delete;

  T* data() const { return static_cast<T*>(memory_); }
  std::vector<T> values() const {
    std::vector<T> values(count_);
    cuda::copy_to_host(ctx_, values.data(), memory_, count_ * sizeof(T));
    cuda::synchronize(ctx_);
    return values;
  }

 private:
  Context ctx_{Device::cuda, nullptr, Precision::bf16};
  size_t count_;
  void* memory_;
};

/// Numbers of every size and sign, ties, and what is no number.
std::vector<float> odd_numbers(size_t count) {
  using Limits = std::numeric_limits<float>;
  std::vector<float> values = {0.0F,
                               -0.0F,
                               Limits::infinity(),
                               -Limits::infinity(),
                               Limits::quiet_NaN(),
                               -NAN,
                               Limits::max(),
                               Limits::denorm_min(),
                               Limits::min(),
                               0x1.01p0F,
                               0x1.03p0F,
                               -0x1.01p0F,
                               0x1.010002p0F,
                               0x1.00fffep0F,
                               0x1.feffp127F,
                               std::bit_cast<float>(0x7F800001U)};
  for (uint32_t i = 0; values.size() < count; ++i) {
    values.push_back(std::bit_cast<float>(i * 2654435761U));
  }
  values.resize(count);
  return values;
}

struct Matrix {
  int64_t rows, cols, leading, offset;
};

/// What the copy of a matrix is to be, with one number behind it that is to stay.
std::vector<uint16_t> rounded(const Matrix& matrix, const std::vector<float>& values) {
  const int64_t leading = cuda::bf16_leading(matrix.cols);
  std::vector<uint16_t> copy(static_cast<size_t>(matrix.rows * leading));
  for (int64_t r = 0; r < matrix.rows; ++r) {
    for (int64_t c = 0; c < matrix.cols; ++c) {
      const int64_t from = matrix.offset + r * matrix.leading + c;
      copy[static_cast<size_t>(r * leading + c)] =
          simt::to_bf16_bits(values[static_cast<size_t>(from)]);
    }
  }
  copy.push_back(0x1234);
  return copy;
}

void expect_rounded(std::span<const Matrix> matrices) {
  std::vector<std::unique_ptr<Uploaded<float>>> sources;
  std::vector<std::unique_ptr<Uploaded<uint16_t>>> copies;
  std::vector<std::vector<uint16_t>> expected;
  std::vector<cuda::Bf16Copy> queued;
  for (const Matrix& matrix : matrices) {
    const auto [rows, cols, leading, offset] = matrix;
    // Nothing lies behind the last number: reading on would be a fault.
    const auto values = odd_numbers(static_cast<size_t>(offset + (rows - 1) * leading + cols));
    expected.push_back(rounded(matrix, values));
    sources.push_back(std::make_unique<Uploaded<float>>(values));
    copies.push_back(std::make_unique<Uploaded<uint16_t>>(
        std::vector<uint16_t>(expected.back().size(), 0x1234)));
    queued.push_back({sources.back()->data() + offset, rows, cols, leading, copies.back()->data()});
  }
  cuda::round_to_bf16({Device::cuda, nullptr, Precision::bf16}, queued);
  for (size_t i = 0; i < matrices.size(); ++i) {
    EXPECT_EQ(copies[i]->values(), expected[i])
        << matrices[i].rows << " x " << matrices[i].cols << " of " << matrices[i].leading;
  }
}

TEST(Bf16Operands, RoundExactly) {
  in_all_orders([](int) {
    expect_rounded(std::vector<Matrix>{{40, 64, 64, 0}, {3, 63, 63, 0}, {1, 1, 1, 0}});
    expect_rounded(std::vector<Matrix>{{17, 24, 32, 0}, {9, 12, 12, 0}});   // rows of more
    expect_rounded(std::vector<Matrix>{{5, 504, 504, 1}, {33, 9, 10, 3}});  // fit no vectors
    expect_rounded(std::vector<Matrix>{{1, 7, 7, 0}, {256, 8, 8, 0}, {257, 8, 8, 4}});
  });
}

/// dw and dx are sums of such products, too; db is one of numbers that are rounded once at most.
OpCase in_bf16(OpCase op_case) {
  add_product_roundoffs(op_case);
  op_case.backward_roundoffs = op_case.forward_roundoffs;
  return in_precision(std::move(op_case), Precision::bf16);
}

/// Those of linear with more than four rows, which are float32 in every precision; the simulated
/// GPU leaves the large ones out.
const std::vector<OpCase>& cases() {
  static const std::vector<OpCase> cases = [] {
    std::vector<OpCase> found;
    for (const OpCase& op_case : all_op_cases()) {
      if (!op_case.name.starts_with("linear/") || op_case.inputs[0].shape[0] <= 4) continue;
      if (simulated() && op_case.bench_only) continue;
      found.push_back(in_bf16(op_case));
    }
    return found;
  }();
  return cases;
}

std::vector<const OpCase*> pointers() {
  std::vector<const OpCase*> pointers;
  for (const OpCase& op_case : cases()) pointers.push_back(&op_case);
  return pointers;
}

class LinearBf16Test : public ::testing::TestWithParam<const OpCase*> {};

void expect_as_on_cpu(const OpCase& op_case, GradientMode mode, int64_t offset) {
  OpTensors host = make_tensors(op_case, 7, mode);
  const CudaResults results = run_on_cuda(op_case, host, offset);
  EXPECT_TRUE(run_on_cuda(op_case, host, offset).same_bits(results));
  testing::expect_as_on_cpu(op_case, host, results);
}

TEST_P(LinearBf16Test, IsAsOnTheCpu) {
  expect_as_on_cpu(*GetParam(), GradientMode::overwrite, 0);
  expect_as_on_cpu(*GetParam(), GradientMode::accumulate, 1);  // and fits no vectors
}

INSTANTIATE_TEST_SUITE_P(Ops, LinearBf16Test, ::testing::ValuesIn(pointers()), test_name);

// TF32's products would be within the limits, too. But only those of rounded operands are so near
// to the CPU's of such operands: ten times as near as one that is not rounded can be off.
TEST(LinearBf16, MultipliesRoundedOperands) {
  const std::set<std::string> rounded =
      simulated() ? std::set<std::string>{"linear/bias/431x24x24/bf16", "linear/bias/17x63x12/bf16"}
                  : std::set<std::string>{"linear/bias/3440x504x2016/bf16",
                                          "linear/bias/2050x1001x1499/bf16"};
  int compared = 0;
  for (const OpCase& op_case : cases()) {
    if (!rounded.contains(op_case.name)) continue;
    OpTensors host = make_tensors(op_case, 8, GradientMode::overwrite);
    const CudaResults results = run_on_cuda(op_case, host);
    for (const char* name : {"x", "w", "d y"}) {
      const Tensor tensor = host.all().at(name);
      std::transform(tensor.data, tensor.data + tensor.size(), tensor.data,
                     [](float value) { return simt::from_bf16_bits(simt::to_bf16_bits(value)); });
    }
    for (const Comparison& comparison : compare_with_cpu(op_case, host, results)) {
      if (comparison.name == "d b") continue;  // not rounded where it is summed by itself
      EXPECT_LT(comparison.error, 0x1p-9 / 10) << op_case.name << " " << comparison.name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 6);  // y, d x, d w of two cases
}

TEST(Bf16Operands, AreRoundedOnceForTwoProducts) {
  const int64_t rows = simulated() ? 20 : 3440, inputs = simulated() ? 9 : 504;
  const int64_t outputs = simulated() ? 12 : 2016;
  const auto zeros = [](int64_t count) { return std::vector<float>(static_cast<size_t>(count)); };
  const Uploaded<float> dy(zeros(rows * outputs)), x(zeros(rows * inputs)),
      w(zeros(outputs * inputs));
  using cublaslt::Transpose;
  const cublaslt::Product dx{Transpose::no, Transpose::no, rows,     inputs, outputs,
                             dy.data(),     outputs,       w.data(), inputs};
  const cublaslt::Product dw{Transpose::yes, Transpose::no, outputs,  inputs, rows,
                             dy.data(),      outputs,       x.data(), inputs};
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    const Context ctx{Device::cuda, nullptr, precision};
    cublaslt::Product first = dx, second = dw;
    cuda::round_operands(ctx, first, second);
    cuda::synchronize(ctx);
    const std::set<const void*> copies = {first.a_rounded.data, first.b_rounded.data,
                                          second.a_rounded.data, second.b_rounded.data};
    EXPECT_EQ(first.a_rounded.data, second.a_rounded.data);
    EXPECT_EQ(copies.size(), precision == Precision::bf16 ? 3 : 1);
    EXPECT_EQ(copies.contains(nullptr), precision != Precision::bf16);
  }
}

TEST(LinearBf16, SmallProductsAreNotWorthIt) {
  if (simulated())
    GTEST_SKIP() << "SKIPPED: the simulation rounds all products' operands; a GPU alone chooses";
  const cublaslt::Product small{.m = 431, .n = 24, .k = 24}, none;
  EXPECT_FALSE(cublaslt::worth_rounding({&small, &none}, 431 * 24 + 24 * 24));
}

}  // namespace
}  // namespace dsf::testing
