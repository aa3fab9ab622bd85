#pragma once
// Samples on their way from the thread that renders them to the one that plays them.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace dsf {

/// One thread writes and one reads; neither waits for the other nor allocates.
class SampleRing {
 public:
  explicit SampleRing(int64_t capacity) : samples_(static_cast<size_t>(capacity)) {}

  int64_t capacity() const { return std::ssize(samples_); }
  /// Samples that were written and not read yet.
  int64_t size() const {
    return written_.load(std::memory_order_acquire) - read_.load(std::memory_order_acquire);
  }

  /// Of the writer: all of `samples`, for which there must be room.
  void write(std::span<const float> samples) {
    const int64_t begin = written_.load(std::memory_order_relaxed);
    for_parts(begin, std::ssize(samples), [&](int64_t at, int64_t from, int64_t count) {
      std::copy_n(samples.data() + from, count, samples_.data() + at);
    });
    written_.store(begin + std::ssize(samples), std::memory_order_release);
  }

  /// Of the reader: as many samples as there are and `samples` has room for; how many.
  int64_t read(std::span<float> samples) {
    const int64_t begin = read_.load(std::memory_order_relaxed);
    const int64_t count = std::min(written_.load(std::memory_order_acquire) - begin,
                                   static_cast<int64_t>(samples.size()));
    for_parts(begin, count, [&](int64_t at, int64_t to, int64_t part) {
      std::copy_n(samples_.data() + at, part, samples.data() + to);
    });
    read_.store(begin + count, std::memory_order_release);
    return count;
  }

 private:
  /// Calls visit(place in the ring, place among the `count`, length) for the one or two parts.
  template <class Visit>
  void for_parts(int64_t begin, int64_t count, const Visit& visit) const {
    const int64_t at = begin % capacity(), first = std::min(count, capacity() - at);
    visit(at, int64_t{0}, first);
    if (first < count) visit(int64_t{0}, first, count - first);
  }

  std::vector<float> samples_;
  std::atomic<int64_t> written_{0}, read_{0};
};

}  // namespace dsf
