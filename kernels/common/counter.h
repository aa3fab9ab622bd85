#pragma once
// Numbers that change from frame to frame where nothing else does.
#include <cstdint>

namespace dsf {

/// A whole number that an op reads: the host's `value` and, where `device` is not null, the one in
/// the device's memory added to it. Recorded work (graph.h) reads that at each launch.
struct Counter {
  int64_t value = 0;
  const int64_t* device = nullptr;

  Counter(int64_t number, const int64_t* place = nullptr) : value(number), device(place) {}
  Counter operator+(int64_t number) const { return {value + number, device}; }
};

}  // namespace dsf
