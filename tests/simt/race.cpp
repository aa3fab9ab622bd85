#include "tests/simt/race.h"

#include <algorithm>

namespace dsf::simt {
namespace {

bool same_thread(const Stamp& a, const Stamp& b) {
  return a.block == b.block && a.thread == b.thread;
}

/// Whether what a thread did at `earlier` is known to lie before what another does at `now`.
bool ordered(const Stamp& earlier, const Stamp& now, const WarpClock& clock) {
  if (earlier.launch != now.launch) return true;
  if (earlier.block != now.block) return false;
  if (earlier.barrier != now.barrier || earlier.thread == now.thread) return true;
  return earlier.warp() == now.warp() && clock.seen(now.lane(), earlier.lane()) >= earlier.time;
}

/// Whether all reads that `cell` remembers lie before `now`.
bool reads_ordered(const Cell& cell, const Stamp& now, const WarpClock& clock) {
  const Stamp& read = cell.read;
  if (read.launch != now.launch) return true;
  if (cell.read_by_other_blocks || read.block != now.block) return false;
  if (read.barrier != now.barrier) return true;
  if (cell.read_by_other_warps || read.warp() != now.warp()) return false;
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(cell.read_lanes >> lane & 1U) || lane == now.lane()) continue;
    // `read` holds the latest time of several lanes, which is late enough for all of them.
    if (clock.seen(now.lane(), lane) < read.time) return false;
  }
  return true;
}

void remember_read(Cell& cell, const Stamp& now, const WarpClock& clock) {
  const Stamp& read = cell.read;
  if (read.launch == now.launch && read.block == now.block && read.barrier == now.barrier &&
      read.warp() == now.warp() && read.time == now.time) {
    // The most frequent case by far: with what its warp reads between two collectives.
    cell.read.thread = now.thread;
    cell.read_lanes |= 1U << now.lane();
    return;
  }
  if (reads_ordered(cell, now, clock)) {
    // What lies after this read lies after those before it.
    cell.read_by_other_warps = cell.read_by_other_blocks = false;
    cell.read_lanes = 0;
  } else if (read.block != now.block) {
    cell.read_by_other_blocks = true;
  } else if (read.warp() != now.warp()) {
    cell.read_by_other_warps = true;
    cell.read_lanes = 0;
  }
  Stamp stamp = now;
  if (cell.read_lanes != 0) stamp.time = std::max(read.time, now.time);
  cell.read = stamp;
  cell.read_lanes |= 1U << now.lane();
}

}  // namespace

void WarpClock::meet(uint32_t mask) {
  const uint32_t number = ++collectives_;
  std::array<uint32_t, kWarp> merged{};
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(mask >> lane & 1U)) continue;
    for (unsigned other = 0; other < kWarp; ++other) {
      merged[other] = std::max(merged[other], seen_[lane][other]);
    }
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (mask >> lane & 1U) merged[lane] = number - 1;
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(mask >> lane & 1U)) continue;
    seen_[lane] = merged;
    time_[lane] = number;
  }
}

Race check_access(Cell& cell, AccessKind kind, const Stamp& now, const WarpClock& clock) {
  const bool atomic = kind == AccessKind::atomic;
  if (!(atomic && cell.atomic_write) && !same_thread(cell.write, now) &&
      !ordered(cell.write, now, clock)) {
    return {"write", cell.write};
  }
  if (kind == AccessKind::read) {
    remember_read(cell, now, clock);
    return {};
  }
  if (!reads_ordered(cell, now, clock)) {
    return {"read", cell.read};
  }
  cell.write = now;
  cell.atomic_write = atomic;
  cell.written = true;
  if (!atomic) {  // another's atomic operation, unordered with this one, must find the reads too
    cell.read = Stamp{};
    cell.read_lanes = 0;
    cell.read_by_other_warps = cell.read_by_other_blocks = false;
  }
  return {};
}

}  // namespace dsf::simt
