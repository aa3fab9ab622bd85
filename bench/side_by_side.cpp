// Every op's bench cases, whole training steps and generated frames on the CPU and on the GPU: how
// far the GPU's results are from the CPU's, times, rates, shares of the GPU's limits, which are
// measured in the same run (of what the caches hold a repeated op may pass them). Markdown tables.
// Where there is no GPU it says so and times the CPU. Exit code 1: a result beyond its tolerance.
//   side_by_side [--gpu-only] [FILTER]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include "bench/model_works.h"
#include "engine/model/arena.h"
#include "kernels/common/device_memory.h"
#include "kernels/common/graph.h"
#include "kernels/common/memory.h"
#include "kernels/common/random.h"
#include "kernels/linear/linear.h"
#include "tests/cuda_case.h"
#include "tests/worst.h"

namespace {

using dsf::Context;
using dsf::Precision;
using dsf::testing::OpCase;
using dsf::testing::OpTensors;
using dsf::testing::Work;

/// Median seconds of a call, of as many as fit half a second, at least five.
double median_seconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < 5 || (total < 0.5 && seconds.size() < 1000)) {
    const auto begin = Clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    total += seconds.back();
  }
  std::ranges::nth_element(seconds, seconds.begin() + std::ssize(seconds) / 2);
  return seconds[seconds.size() / 2];
}

/// Seconds of `work` on a GPU, from recordings of many in a row: neither the host's launches nor
/// its waiting count.
double gpu_seconds(const Context& ctx, const std::function<void()>& work) {
  constexpr int kRepeats = 20;
  work();
  dsf::cuda::synchronize(ctx);
  dsf::Graph graph(ctx);
  graph.record([&] {
    for (int i = 0; i < kRepeats; ++i) work();
  });
  return median_seconds([&] {
           graph.launch();
           dsf::cuda::synchronize(ctx);
         }) /
         kRepeats;
}

/// A stream on the GPU, and what it can do at most.
struct Gpu {
  Context ctx;
  double bytes = 0;  // read plus written per second by a large copy
  double flops = 0;  // of a large float32 product
};

dsf::Tensor random_matrix(const Context& ctx, dsf::Arena& arena, const char* name, int64_t size) {
  const dsf::Tensor matrix = arena.tensor(name, {size, size});
  std::vector<float> values(static_cast<size_t>(matrix.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(dsf::random_words({1, 2, 3}, i)[0]) * 0x1p-32F - 0.5F;
  }
  dsf::upload(ctx, matrix, static_cast<const float*>(values.data()));
  return matrix;
}

Gpu measure_gpu(Context ctx) {
  constexpr int64_t kSize = 8192;  // 256 MiB a matrix, more than any cache
  Gpu limits{ctx};
  dsf::Arena arena(ctx);
  const dsf::Tensor a = random_matrix(ctx, arena, "a", kSize);
  const dsf::Tensor b = arena.tensor("b", a.shape), c = arena.tensor("c", a.shape);
  const auto bytes = static_cast<size_t>(a.size()) * sizeof(float);
  limits.bytes = 2 * static_cast<double>(bytes) /
                 gpu_seconds(ctx, [&] { dsf::cuda::copy_on_device(ctx, b.data, a.data, bytes); });
  const double flops = 2.0 * kSize * kSize * kSize;
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    ctx.precision = precision;
    const double rate = flops / gpu_seconds(ctx, [&] { dsf::linear_forward(ctx, c, a, b, {}); });
    if (precision == Precision::fp32) limits.flops = rate;
    fmt::print("GPU: {:.1f} TFLOP/s in {} ({}² product)\n", rate / 1e12, name_of(precision), kSize);
  }
  fmt::print("GPU: {:.2f} TB/s read and written by a copy of {} MiB\n\n", limits.bytes / 1e12,
             bytes >> 20);
  return limits;
}

bool g_all_within = true;  // their tolerances

/// How much of its tolerance the GPU's worst result takes.
double worst_share(const OpCase& op_case, OpTensors& host, bool backward) {
  double worst = 0;
  const auto results = dsf::testing::run_on_cuda(op_case, host);
  for (const auto& [name, error, tolerance] :
       dsf::testing::compare_with_cpu(op_case, host, results)) {
    if (name.starts_with("d ") != backward) continue;
    worst = dsf::testing::worse(worst, error > 0 ? error / tolerance.value : error);
  }
  g_all_within = g_all_within && worst <= 1;  // false for NaN
  return worst;
}

void print_op(const OpCase& op_case, bool backward, const Work& work, const std::optional<Gpu>& gpu,
              bool gpu_only) {
  OpTensors host = dsf::testing::make_tensors(op_case, 1, dsf::GradientMode::overwrite);
  op_case.forward(Context{}, host);  // backward reads what it saves
  const auto& run = backward ? op_case.backward : op_case.forward;
  const double cpu = gpu_only ? 0 : median_seconds([&] { run(Context{}, host); });
  const std::string name = op_case.name + (backward ? " backward" : " forward");
  if (!gpu) {
    fmt::print("| {} | {:.1f} | no GPU | | | | |\n", name, cpu * 1e6);
    return;
  }
  dsf::testing::CudaTensors device(op_case, host);
  device.ctx = gpu->ctx;
  op_case.forward(device.ctx, device.tensors);
  const double seconds = gpu_seconds(device.ctx, [&] { run(device.ctx, device.tensors); });
  const double share = worst_share(op_case, host, backward);
  const double bound = std::max(work.bytes / gpu->bytes, work.flops / gpu->flops);
  const std::string cpu_columns =
      gpu_only ? fmt::format("– | {:.2f} | –", seconds * 1e6)
               : fmt::format("{:.1f} | {:.2f} | {:.0f}", cpu * 1e6, seconds * 1e6, cpu / seconds);
  fmt::print("| {} | {} | {:.0f} | {:.2f} | {:.0f} | {:.0f} |\n", name, cpu_columns,
             work.bytes / seconds / 1e9, work.flops / seconds / 1e12, 100 * bound / seconds,
             100 * share);
}

void print_ops(dsf::bench::Filter& filter, const std::optional<Gpu>& gpu, bool gpu_only) {
  fmt::print(
      "| op | CPU µs | GPU µs | × | GB/s | TFLOP/s | % of the limit that binds | % of the "
      "tolerance |\n|---|---|---|---|---|---|---|---|\n");
  for (const OpCase& op_case : dsf::testing::all_op_cases()) {
    if (!op_case.bench_only || !filter.wants(op_case.name)) continue;
    print_op(op_case, false, op_case.forward_work, gpu, gpu_only);
    if (op_case.backward) print_op(op_case, true, op_case.backward_work, gpu, gpu_only);
  }
}

double seconds_of(const dsf::bench::ModelWork& work, const Context& ctx) {
  const std::function<void()> run = work.prepare(ctx);
  for (int i = 0; i < work.warmup; ++i) run();
  const bool gpu = ctx.device == dsf::Device::cuda;
  return median_seconds(run) / static_cast<double>(gpu ? work.units : 1);
}

void print_models(dsf::bench::Filter& filter, const std::optional<Gpu>& gpu, bool gpu_only) {
  fmt::print("\n| work | CPU ms | GPU fp32 ms | tf32 ms | bf16 ms |\n|---|---|---|---|---|\n");
  for (const dsf::bench::ModelWork& work : dsf::bench::model_works()) {
    if (!filter.wants(work.name)) continue;
    fmt::print("| {} |", work.name);
    fmt::print(" {} |", gpu_only ? "–" : fmt::format("{:.3f}", 1e3 * seconds_of(work, Context{})));
    for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
      if (!gpu) {
        fmt::print(" no GPU |");
        continue;
      }
      Context ctx = gpu->ctx;
      ctx.precision = precision;
      fmt::print(" {:.3f} |", 1e3 * seconds_of(work, ctx));
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bool gpu_only = argc > 1 && std::string_view(argv[1]) == "--gpu-only";
  dsf::bench::Filter filter(argc - gpu_only, argv + gpu_only);
  std::optional<Gpu> gpu;
  if (dsf::cuda::device_count && dsf::cuda::device_count() > 0) {
    gpu = measure_gpu(dsf::make_context("cuda"));
  } else {
    fmt::print("No GPU here: the CPU alone is timed.\n\n");
  }
  print_ops(filter, gpu, gpu_only);
  print_models(filter, gpu, gpu_only);
  if (!g_all_within) {
    fmt::print(stderr, "side_by_side: a result of the GPU is not within its tolerance\n");
    return 1;
  }
  return filter.exit_code("side_by_side");
}
