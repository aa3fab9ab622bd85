#pragma once
// The race detector: two accesses to the same memory, one of them a write, by two threads between
// which nothing orders them.
//
// What orders: a launch and the next; a grid barrier; __syncthreads within a block; warp
// collectives among the lanes of their mask. What does not: running in lockstep, atomics, fences.
#include <array>
#include <cstdint>

namespace dsf::simt {

inline constexpr unsigned kWarp = 32;

/// When a thread did something.
struct Stamp {
  uint32_t launch = 0;  // launches begun and grid barriers passed, of all; 0: never
  uint32_t block = 0;
  uint32_t thread = 0;   // within the block
  uint32_t barrier = 0;  // block barriers passed
  uint32_t time = 0;     // the number of the warp's collective that this lane passed last

  unsigned warp() const { return thread / kWarp; }
  unsigned lane() const { return thread % kWarp; }
};

/// What is known of a few bytes of memory.
struct Cell {
  Stamp write;
  Stamp read;               // the latest since that write; of plain reads
  uint32_t read_lanes = 0;  // of the latest reader's warp: who has read since that write
  bool written = false;
  bool atomic_write = false;
  bool read_by_other_warps = false;
  bool read_by_other_blocks = false;
};

/// What the lanes of a warp know of each other: seen[i][j] is the latest time of lane j that lies
/// before what lane i does now.
class WarpClock {
 public:
  uint32_t time(unsigned lane) const { return time_[lane]; }
  uint32_t seen(unsigned lane, unsigned other) const { return seen_[lane][other]; }
  /// The lanes of `mask` have met in a collective.
  void meet(uint32_t mask);

 private:
  uint32_t collectives_ = 1;
  std::array<uint32_t, kWarp> time_ = filled_with_one();
  std::array<std::array<uint32_t, kWarp>, kWarp> seen_{};

  static constexpr std::array<uint32_t, kWarp> filled_with_one() {
    std::array<uint32_t, kWarp> times{};
    times.fill(1);
    return times;
  }
};

enum class AccessKind { read, write, atomic };

/// An access that conflicts with an earlier one.
struct Race {
  const char* earlier = nullptr;  // "read" or "write"; null: no race
  Stamp by;
};

/// Checks an access by the thread of `now` against what `cell` remembers, then remembers it.
Race check_access(Cell& cell, AccessKind kind, const Stamp& now, const WarpClock& clock);

}  // namespace dsf::simt
