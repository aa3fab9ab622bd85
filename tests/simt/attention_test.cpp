// Attention's forms for tensor cores on a device whose blocks have little shared memory.
#include <algorithm>

#include "tests/cuda_case.h"
#include "tests/simt/simt.h"

namespace dsf::simt {
namespace {

using dsf::testing::OpCase;

/// What a case gives in `precision` where a block can have `kib` KiB of shared memory, which must
/// be what the CPU gives.
dsf::testing::CudaResults run(const std::string& variant, Precision precision, size_t kib) {
  const auto& cases = dsf::testing::all_op_cases();
  const auto found = std::find_if(cases.begin(), cases.end(), [&](const OpCase& op_case) {
    return op_case.name == "attention/" + variant;
  });
  DSF_CHECK(found != cases.end(), "no case {}", variant);
  const OpCase op_case = precision == Precision::fp32 ? *found : in_precision(*found, precision);
  auto host = make_tensors(op_case, 5, GradientMode::overwrite);
  set_max_shared_bytes(kib * 1024);
  const auto results = run_on_cuda(op_case, host);
  set_max_shared_bytes(kMaxSharedBytes);
  expect_as_on_cpu(op_case, host, results);
  return results;
}

TEST(SimtAttention, LargeHeadsAreNotRoundedWhereTheirTilesDoNotFit) {
  const char* variant = "rate0.2/1x45/1heads of 96/lookback30";
  const auto exact = run(variant, Precision::fp32, 99);
  EXPECT_TRUE(run(variant, Precision::tf32, 99).same_bits(exact));
  EXPECT_FALSE(run(variant, Precision::tf32, 163).same_bits(exact));
  EXPECT_FALSE(run(variant, Precision::bf16, 99).same_bits(exact));
}

}  // namespace
}  // namespace dsf::simt
