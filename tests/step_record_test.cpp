#include "kernels/step_record/step_record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/model/arena.h"
#include "tests/cuda_contexts.h"

namespace dsf {
namespace {

/// The guard after steps of these losses and norms.
float guard_after(const Context& ctx, const std::vector<std::array<float, 2>>& steps) {
  Arena arena(ctx);
  const auto count = static_cast<int64_t>(steps.size());
  const Tensor records = arena.tensor("records", {count, 2}), guard = arena.tensor("guard", {1});
  const Tensor loss = arena.tensor("loss", {1}), norm = arena.tensor("norm", {1});
  const float one = 1;
  upload(ctx, guard, &one);
  for (int64_t i = 0; i < count; ++i) {
    upload(ctx, loss, &steps[static_cast<size_t>(i)][0]);
    upload(ctx, norm, &steps[static_cast<size_t>(i)][1]);
    step_record(ctx, records, guard, loss, norm, i);
  }
  const HostValues recorded(ctx, records);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t k = 0; k < 2; ++k) {
      const float expected = steps[static_cast<size_t>(i)][static_cast<size_t>(k)];
      const float value = recorded.view().row(i)[k];
      EXPECT_TRUE(value == expected || (std::isnan(value) && std::isnan(expected)));
    }
  }
  return HostValues(ctx, guard).view()[0];
}

TEST(StepRecord, KeepsEveryStepAndThatOneWasNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const Context& ctx : testing::contexts()) {
    SCOPED_TRACE(name_of(ctx.device));
    EXPECT_EQ(guard_after(ctx, {{5, 1}, {-4, 1e18F}}), 1);
    EXPECT_TRUE(std::isnan(guard_after(ctx, {{5, 1}, {nan, 1}, {4, 1}})));
    EXPECT_TRUE(std::isnan(guard_after(ctx, {{-infinity, 1}, {4, 1}})));
    EXPECT_TRUE(std::isnan(guard_after(ctx, {{4, infinity}})));
    EXPECT_TRUE(std::isnan(guard_after(ctx, {{4, 1e20F}}))) << "whose square is infinite";
  }
}

}  // namespace
}  // namespace dsf
