#pragma once
// Orders of execution in which results must be the same to the last bit.

namespace dsf::testing {

/// How many a test compares: on the simulated GPU its schedules, in every other of which what is
/// queued is done as late as may be; on a real one so many runs.
int orders();
/// Whether the GPU is a simulated one, which takes its time.
bool simulated();
void set_order(int order);

/// Calls run(order) for every order, the first of which is 0, or for those behind the first.
template <class Run>
void in_other_orders(const Run& run) {
  for (int order = 1; order < orders(); ++order) {
    set_order(order);
    run(order);
  }
  set_order(0);
}
template <class Run>
void in_all_orders(const Run& run) {
  run(0);
  in_other_orders(run);
}

}  // namespace dsf::testing
