// Every op case, forward and backward: time, rates, and the share of the limit that binds it,
// measured in the same run.   ops_bench [--benchmark_filter=REGEX …]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "bench/limits.h"
#include "tests/op_cases.h"

namespace {

using dsf::bench::Limits;
using dsf::testing::OpCase;
using dsf::testing::OpTensors;
using Run = std::function<void(const dsf::Context&, OpTensors&)>;

void bench_case(benchmark::State& state, const OpCase& op_case, const Run& run,
                const dsf::testing::Work& work, const Limits& limits) {
  OpTensors tensors = dsf::testing::make_tensors(op_case, 1);
  op_case.forward(dsf::Context{}, tensors);  // backward reads what forward saves
  while (state.KeepRunning()) run(dsf::Context{}, tensors);
  const auto rate = [](double amount) {
    return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
  };
  if (work.flops > 0) state.counters["FLOP/s"] = rate(work.flops);
  state.counters["B/s"] = rate(work.bytes);
  // Least possible time over measured time.
  state.counters["share"] = rate(dsf::bench::bound_seconds(limits, work.flops, work.bytes));
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const Limits limits = dsf::bench::measure_limits();
  fmt::print("limits: {:.1f} GFLOP/s fp32, {:.1f} GB/s read from memory, {:.1f} GB/s from cache\n",
             limits.flops / 1e9, limits.bytes / 1e9, limits.cached_bytes / 1e9);
  for (const OpCase& op_case : dsf::testing::all_op_cases()) {
    const auto add = [&](const char* direction, const Run& run, const dsf::testing::Work& work) {
      benchmark::RegisterBenchmark((op_case.name + "/" + direction).c_str(),
                                   [&op_case, run, work, limits](benchmark::State& state) {
                                     bench_case(state, op_case, run, work, limits);
                                   })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    };
    add("forward", op_case.forward, op_case.forward_work);
    if (op_case.backward) add("backward", op_case.backward, op_case.backward_work);
  }
  const size_t run = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return run == 0 ? 2 : 0;
}
