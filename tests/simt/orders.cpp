#include "tests/cuda/orders.h"

#include "tests/simt/simt.h"

namespace dsf::testing {

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
