#include "tests/cuda/orders.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/simt/simt.h"

namespace dsf::testing {
namespace {

/// Says at the end what a program's tests ran in the simulation.
class Launches : public ::testing::Environment {
 public:
  void TearDown() override {
    if (simt::launches() > 0) fmt::print("{} launches were simulated\n", simt::launches());
  }
};

[[maybe_unused]] const auto* const g_report = ::testing::AddGlobalTestEnvironment(new Launches);

}  // namespace

int orders() {
  return simt::schedules();
}

bool simulated() {
  return true;
}

void set_order(int order) {
  simt::set_late(order % 2 == 1);
  simt::set_schedule(static_cast<uint64_t>(order));
}

}  // namespace dsf::testing
