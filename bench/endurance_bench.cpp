// A million frames of a small model, one after another: time and memory per frame must stay flat.
//   endurance_bench [FRAMES]
#include <fmt/format.h>
#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <cstring>
#include <vector>

#include "engine/generation/generator.h"

namespace {

double resident_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

dsf::ModelConfig small_model() {
  dsf::ModelConfig config;
  config.embed_size = 24;
  config.num_layers = 2;
  config.num_heads = 2;
  config.forward_expansion = 2;
  config.lookback = 86;
  config.max_length = 430;
  config.num_codebooks = 4;
  config.vocab_size = 64;
  config.num_classes = 4;
  config.num_parameters = 1;
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  int64_t frames = 1'000'000;
  if (argc > 1) {
    const char* end = argv[1] + std::strlen(argv[1]);
    const auto [last, error] = std::from_chars(argv[1], end, frames);
    if (error != std::errc{} || last != end || frames < 10) {
      fmt::print(stderr, "endurance_bench: FRAMES is '{}', expected a number from 10\n", argv[1]);
      return 2;
    }
  }
  const dsf::ModelConfig config = small_model();
  const dsf::ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  const dsf::Tensor flat{weights.data(), {table.size()}};
  table.initialise(flat, 1);
  const auto generator = dsf::make_generator(config, table, flat, {});
  const std::vector<float> cond(static_cast<size_t>(config.cond_size()), 0.5F);
  fmt::print("frames           µs per frame   peak memory MB\n");
  using Clock = std::chrono::steady_clock;
  for (int64_t part = 0; part < 10; ++part) {
    const int64_t begin = frames * part / 10, end = frames * (part + 1) / 10;
    const auto start = Clock::now();
    for (int64_t frame = begin; frame < end; ++frame) generator->next(cond.data());
    const std::chrono::duration<double, std::micro> elapsed = Clock::now() - start;
    fmt::print("{:>8} … {:<8} {:>9.2f} {:>12.2f}\n", begin, end,
               elapsed.count() / static_cast<double>(end - begin), resident_megabytes());
  }
  return 0;
}
