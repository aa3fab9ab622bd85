// Every op's bench cases, whole training steps, generated frames and decoded sound on the CPU and
// on the GPU: how far the GPU's results are from the CPU's, times, rates, shares of the GPU's
// limits, which are measured in the same run (of what the caches hold a repeated op may pass them).
// Markdown tables. Where there is no GPU it says so and times the CPU. Exit code 1: a result beyond
// its limit.
//   side_by_side [--brief] [FILTER]     brief: the CPU does each op once, and nothing larger
//   side_by_side --tiles                the convolutions of the official decoder in every tile
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>

#include "bench/model_works.h"
#include "engine/model/arena.h"
#include "kernels/common/convolution.h"
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
using dsf::testing::Comparison;
using dsf::testing::OpCase;
using dsf::testing::OpTensors;
using dsf::testing::Work;

constexpr Precision kPrecisions[] = {Precision::fp32, Precision::tf32, Precision::bf16};

double seconds_of_one(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double g_seconds = 0.5;  // for how long a work is repeated

/// Median seconds of a call, of as many as fit the time, at least five.
double median_seconds(const std::function<void()>& work) {
  std::vector<double> seconds;
  double total = 0;
  while (seconds.size() < 5 || (total < g_seconds && seconds.size() < 1000)) {
    seconds.push_back(seconds_of_one(work));
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
  for (const Precision precision : kPrecisions) {
    ctx.precision = precision;
    const double rate = flops / gpu_seconds(ctx, [&] { dsf::linear_forward(ctx, c, a, b, {}); });
    if (precision == Precision::fp32) limits.flops = rate;
    fmt::print("GPU: {:.1f} TFLOP/s in {} ({}² product)\n", rate / 1e12, name_of(precision), kSize);
  }
  fmt::print("GPU: {:.2f} TB/s read and written by a copy of {} MiB\n\n", limits.bytes / 1e12,
             bytes >> 20);
  return limits;
}

bool g_all_within = true;  // their limits

/// Of the GPU's results the one that is farthest from the CPU's for its limit.
Comparison worst_result(const OpCase& op_case, OpTensors& host, bool backward) {
  Comparison worst;
  double most = -1;  // of a limit
  const auto results = dsf::testing::run_on_cuda(op_case, host);
  for (const Comparison& result : dsf::testing::compare_with_cpu(op_case, host, results)) {
    if (result.name.starts_with("d ") != backward) continue;
    g_all_within = g_all_within && result.error <= result.tolerance.value;  // false for NaN
    const double share = result.error > 0 ? result.error / result.tolerance.value : result.error;
    if (share <= most || std::isnan(most)) continue;
    most = dsf::testing::worse(most, share);
    worst = result;
  }
  return worst;
}

/// Whether an op asks for its context's precision.
bool has_products(const OpCase& op_case) {
  return std::ranges::any_of(std::initializer_list<const char*>{"linear", "attention", "conv"},
                             [&](const char* op) { return op_case.name.starts_with(op); });
}

/// Microseconds of `work` on a GPU in each of kPrecisions.
std::vector<double> gpu_times(Context ctx, bool in_all,
                              const std::function<void(const Context&)>& work) {
  std::vector<double> times;
  for (const Precision precision : kPrecisions) {
    ctx.precision = precision;
    times.push_back(1e6 * gpu_seconds(ctx, [&] { work(ctx); }));
    if (!in_all) break;
  }
  return times;
}

void print_op(const OpCase& op_case, bool backward, const Work& work, const std::optional<Gpu>& gpu,
              bool brief) {
  OpTensors host = dsf::testing::make_tensors(op_case, 1, dsf::GradientMode::overwrite);
  op_case.forward(Context{}, host);  // backward reads what it saves
  const auto& run = backward ? op_case.backward : op_case.forward;
  const auto on_cpu = [&] { run(Context{}, host); };
  const double cpu = brief ? seconds_of_one(on_cpu) : median_seconds(on_cpu);
  const std::string name = op_case.name + (backward ? " backward" : " forward");
  if (!gpu) {
    fmt::print("| {} | {:.1f} | no GPU | | | | | | | | |\n", name, cpu * 1e6);
    return;
  }
  dsf::testing::CudaTensors device(op_case, host);
  device.ctx = gpu->ctx;
  op_case.forward(device.ctx, device.tensors);
  const std::vector<double> times = gpu_times(
      device.ctx, has_products(op_case), [&](const Context& ctx) { run(ctx, device.tensors); });
  const double seconds = 1e-6 * times[0];
  const Comparison worst = worst_result(op_case, host, backward);
  const double bound = std::max(work.bytes / gpu->bytes, work.flops / gpu->flops);
  const bool all = times.size() > 1;
  fmt::print(
      "| {} | {:.1f} | {:.2f} | {:.0f} | {:.0f} | {:.2f} | {:.0f} | {:.1e} | {:.1e} | {} | {} |\n",
      name, cpu * 1e6, seconds * 1e6, cpu / seconds, work.bytes / seconds / 1e9,
      work.flops / seconds / 1e12, 100 * bound / seconds, worst.error, worst.tolerance.value,
      all ? fmt::format("{:.2f}", times[1]) : "", all ? fmt::format("{:.2f}", times[2]) : "");
}

void print_ops(dsf::bench::Filter& filter, const std::optional<Gpu>& gpu, bool brief) {
  fmt::print(
      "| op | CPU µs | GPU µs | × | GB/s | TFLOP/s | % of the limit that binds | error "
      "| its limit | GPU tf32 µs | bf16 µs |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const OpCase& op_case : dsf::testing::all_op_cases()) {
    if (!op_case.bench_only || op_case.cpu_only || !filter.wants(op_case.name)) continue;
    print_op(op_case, false, op_case.forward_work, gpu, brief);
    if (op_case.backward) print_op(op_case, true, op_case.backward_work, gpu, brief);
  }
}

double seconds_of(const dsf::bench::ModelWork& work, const Context& ctx) {
  const std::function<void()> run = work.prepare(ctx);
  const int64_t units = ctx.device == dsf::Device::cuda ? work.units : 1;
  for (int64_t done = 0; done < work.warmup; done += units) run();
  return median_seconds(run) / static_cast<double>(units);
}

/// What peers have as one op: attention at the size of configs/params.yaml, forward and backward.
void print_attention(dsf::bench::Filter& filter, const Gpu& gpu) {
  constexpr const char* kName = "attention_forward_backward/params";
  if (!filter.wants(kName)) return;
  const auto cases = dsf::testing::all_op_cases();
  const auto op_case =
      std::ranges::find(cases, "attention/rate0.2/8x430/8heads of 63/lookback172", &OpCase::name);
  OpTensors host = dsf::testing::make_tensors(*op_case, 1, dsf::GradientMode::overwrite);
  dsf::testing::CudaTensors device(*op_case, host);
  const std::vector<double> times = gpu_times(gpu.ctx, true, [&](const Context& ctx) {
    op_case->forward(ctx, device.tensors);
    op_case->backward(ctx, device.tensors);
  });
  fmt::print("| {} | – | {:.4f} | {:.4f} | {:.4f} | |\n", kName, 1e-3 * times[0], 1e-3 * times[1],
             1e-3 * times[2]);
}

/// Of the official decoder: `frames` of x become `phases` times as many.
struct DecoderConvolution {
  int64_t frames, inputs, outputs, kernel;
  int step = 1, phases = 1;
};

std::vector<DecoderConvolution> decoder_convolutions(int64_t frames) {
  std::vector<DecoderConvolution> all = {{frames, 1024, 1536, 7}};
  int64_t channels = 1536;
  for (const int rate : {8, 8, 4, 2}) {
    all.push_back({frames, channels, channels / 2, int64_t{2} * rate, -1, rate});
    channels /= 2;
    frames *= rate;
    for (const int dilation : {1, 9}) all.push_back({frames, channels, channels, 7, dilation});
    all.push_back({frames, channels, channels, 1});
  }
  return all;
}

/// As the decoder calls it: with Snake behind it and, of one tap, added to what is there.
void print_tile_times(const Gpu& gpu, const DecoderConvolution& of) {
  Context ctx = gpu.ctx;
  dsf::Arena arena(ctx);
  const dsf::Shape result{1, of.frames * of.phases, of.outputs};
  const auto zeros = [&](const char* name, const dsf::Shape& shape) {
    const dsf::Tensor tensor = arena.tensor(name, shape);
    dsf::cuda::fill_zero(ctx, tensor.data, static_cast<size_t>(tensor.size()) * sizeof(float));
    return tensor;
  };
  dsf::cuda::Convolution c(zeros("y", result), zeros("x", {1, of.frames, of.inputs}),
                           zeros("w", {of.kernel, of.inputs, of.outputs}), zeros("b", {of.outputs}),
                           of.kernel);
  c.step = of.step;
  c.phases = of.phases;
  c.cut = of.phases / 2;
  c.offset = of.phases > 1 ? 0 : -of.step * static_cast<int>(of.kernel - 1) / 2;
  c.tap_rows = of.phases > 1 ? 1 : c.inputs;
  c.input_rows = of.phases > 1 ? c.kernel : 1;
  c.activated = zeros("activated", result).data;
  c.alpha = zeros("alpha", {of.outputs}).data;
  if (of.kernel == 7) c.y = c.activated;
  const auto finish = of.kernel == 1 ? dsf::cuda::Finish::add : dsf::cuda::Finish::overwrite;
  for (const Precision precision : kPrecisions) {
    ctx.precision = precision;
    const bool bf16 = precision == Precision::bf16;  // zeros are the same
    c.bf16 = {bf16, bf16, bf16};
    fmt::print("| {}x{}->{} k{} step {} phases {} | {} | {:.1f} |", of.frames, of.inputs,
               of.outputs, of.kernel, of.step, of.phases, name_of(precision),
               1e6 * gpu_seconds(ctx, [&] { dsf::cuda::convolve(ctx, c, finish); }));
    const bool has_plan = !bf16 && dsf::cuda::convolve_through_cudnn(ctx, c, finish);
    fmt::print(" {} |",
               has_plan
                   ? fmt::format(
                         "{:.1f}",
                         1e6 * gpu_seconds(
                                   ctx, [&] { dsf::cuda::convolve_through_cudnn(ctx, c, finish); }))
               : bf16 ? ""
                      : "no plan");
    for (size_t tile = 0; tile < std::size(dsf::cuda::kConvolutionTiles); ++tile) {
      if (precision == Precision::fp32) {  // which has tiles of its own
        fmt::print(" |");
        continue;
      }
      fmt::print(" {:.1f} |", 1e6 * gpu_seconds(ctx, [&] {
                                dsf::cuda::convolve_in_tiles(ctx, c, finish, tile);
                              }));
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
}

int print_tiles() {
  if (!dsf::cuda::device_count || dsf::cuda::device_count() == 0) {
    fmt::print("No GPU here.\n");
    return 0;
  }
  g_seconds = 0.02;
  const Gpu gpu{dsf::make_context("cuda")};
  fmt::print("| convolution | precision | chosen, µs | cuDNN, with w laid and sums finished |");
  for (const char* tile : dsf::cuda::kConvolutionTiles) fmt::print(" {} |", tile);
  fmt::print("\n|---|---|---|---|");
  for (size_t i = 0; i < std::size(dsf::cuda::kConvolutionTiles); ++i) fmt::print("---|");
  fmt::print("\n");
  for (const int64_t frames : {430, 87}) {
    for (const DecoderConvolution& of : decoder_convolutions(frames)) print_tile_times(gpu, of);
  }
  return 0;
}

void print_models(dsf::bench::Filter& filter, const std::optional<Gpu>& gpu, bool brief) {
  fmt::print(
      "\n| work | CPU ms | GPU fp32 ms | tf32 ms | bf16 ms | × real time, of all streams "
      "|\n|---|---|---|---|---|---|\n");
  if (gpu) print_attention(filter, *gpu);
  for (const dsf::bench::ModelWork& work : dsf::bench::model_works()) {
    if (work.cpu_only || !filter.wants(work.name)) continue;
    fmt::print("| {} |", work.name);
    const bool skips_cpu = brief || work.gpu_only;
    fmt::print(" {} |", skips_cpu ? "–" : fmt::format("{:.3f}", 1e3 * seconds_of(work, Context{})));
    std::string real_time;
    for (const Precision precision : kPrecisions) {
      if (!gpu) {
        fmt::print(" no GPU |");
        continue;
      }
      Context ctx = gpu->ctx;
      ctx.precision = precision;
      const double seconds = seconds_of(work, ctx);
      fmt::print(" {:.4f} |", 1e3 * seconds);
      if (work.sound == 0) continue;
      real_time += fmt::format("{}{:.0f}", real_time.empty() ? "" : ", ", work.sound / seconds);
    }
    fmt::print(" {} |\n", real_time);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--tiles") return print_tiles();
  const bool brief = argc > 1 && std::string_view(argv[1]) == "--brief";
  if (brief) g_seconds = 0.15;
  dsf::bench::Filter filter(argc - brief, argv + brief);
  std::optional<Gpu> gpu;
  if (dsf::cuda::device_count && dsf::cuda::device_count() > 0) {
    gpu = measure_gpu(dsf::make_context("cuda"));
  } else {
    fmt::print("No GPU here: the CPU alone is timed.\n\n");
  }
  print_ops(filter, gpu, brief);
  print_models(filter, gpu, brief);
  if (!g_all_within) {
    fmt::print(stderr, "side_by_side: a result of the GPU is not within its limit\n");
    return 1;
  }
  return filter.exit_code("side_by_side");
}
