// What is allocated once all is prepared: by a frame of our class nothing, by a training step, and
// by a window's frame, no more than the arguments that oneDNN's interface collects for each call.
// A program of its own, as it replaces the operator new of all of it, oneDNN's included.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "bench/models.h"
#include "engine/training/learner.h"
#include "tests/model_classes.h"
#include "tests/sequences.h"

namespace {

std::atomic<int64_t> allocations{0};
std::atomic<size_t> largest{0};  // bytes of one

void* counted(void* memory, size_t bytes) {
  if (memory == nullptr) throw std::bad_alloc();
  ++allocations;
  size_t before = largest;
  while (before < bytes && !largest.compare_exchange_weak(before, bytes)) {
  }
  return memory;
}

}  // namespace

// Not inlined: GCC compares what it sees of one with what it does not see of the other.
[[gnu::noinline]] void* operator new(size_t bytes) {
  return counted(std::malloc(std::max<size_t>(bytes, 1)), bytes);
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  const auto unit = static_cast<size_t>(alignment);
  return counted(std::aligned_alloc(unit, std::max(unit, (bytes + unit - 1) / unit * unit)), bytes);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace dsf {
namespace {

constexpr int kCalls = 10;
constexpr size_t kArgument = 1024;  // bytes, at most, of what a call collects

struct Allocated {
  int64_t count = 0;
  size_t largest = 0;
};

template <class Work>
Allocated in_calls(const Work& work) {
  largest = 0;
  const int64_t before = allocations;
  for (int i = 0; i < kCalls; ++i) work();
  return {allocations - before, largest};
}

class Allocation : public ::testing::TestWithParam<ModelClass> {
 protected:
  ModelConfig config_ = bench::config_of(bench::kModelSizes[1], GetParam());
};

TEST_P(Allocation, OfATrainingStep) {
  constexpr int64_t kBatch = 4;
  Learner learner(config_, kBatch, 5e-4F, 1);
  const Shape shape{kBatch, config_.max_length + 1, config_.num_codebooks};
  testing::MadeSequences sequences(
      shape, std::vector<int32_t>(static_cast<size_t>(shape.size()), 3),
      std::vector<float>(static_cast<size_t>(kBatch * config_.cond_size()), 0.5F));
  const auto step = [&] { learner.train(sequences.all()); };
  for (int i = 0; i < 3; ++i) step();
  const Allocated allocated = in_calls(step);
  std::printf("    %lld a step, the largest of %zu bytes\n",
              static_cast<long long>(allocated.count / kCalls), allocated.largest);
  EXPECT_LE(allocated.largest, kArgument);
}

TEST_P(Allocation, OfAFrame) {
  bench::Generation generation(config_, {}, {});
  const auto frame = [&] { generation.run(); };
  for (int64_t i = 0; i < config_.lookback + 2; ++i) frame();
  const Allocated allocated = in_calls(frame);
  if (GetParam() == ModelClass::streaming) {
    EXPECT_EQ(allocated.count, 0);
  }
  EXPECT_LE(allocated.largest, kArgument);
}

INSTANTIATE_TEST_SUITE_P(Classes, Allocation, ::testing::ValuesIn(kModelClasses), class_test_name);

}  // namespace
}  // namespace dsf
