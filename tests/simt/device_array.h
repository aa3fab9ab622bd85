#pragma once
// What the simulation's own tests share.
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/common/launch.h"
#include "tests/expect_error.h"
#include "tests/simt/simt.h"

namespace dsf::simt {

/// An array in device memory; of a size alone, nobody has written it.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t size) : size_(size) {
    cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T));
  }
  DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    cudaMemcpyAsync(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice, nullptr);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> values(size_);
    cudaMemcpyAsync(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost, nullptr);
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

/// 0, 1, … size−1.
template <class T>
std::vector<T> numbers(size_t size) {
  std::vector<T> values(size);
  for (size_t i = 0; i < size; ++i) values[i] = static_cast<T>(i);
  return values;
}

/// Calls run() under every schedule; all must give the same, which is returned.
template <class Run>
auto same_in_all_schedules(const Run& run) {
  set_schedule(0);
  auto first = run();
  for (int seed = 1; seed < schedules(); ++seed) {
    set_schedule(static_cast<uint64_t>(seed));
    EXPECT_EQ(run(), first) << "schedule " << seed;
  }
  set_schedule(0);
  return first;
}

/// Under every schedule, work() must end in a Fault whose message contains all of `parts`.
template <class Work>
void expect_fault(const Work& work, const std::vector<std::string>& parts) {
  for (int seed = 0; seed < schedules(); ++seed) {
    set_schedule(static_cast<uint64_t>(seed));
    dsf::testing::expect_error<Fault>(work, parts);
  }
  set_schedule(0);
}

}  // namespace dsf::simt
