#pragma once
// One launch: its blocks one after another, or all together where it is cooperative; their threads
// as fibers on one OS thread.
#include <array>
#include <boost/context/fiber.hpp>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/simt/device.h"
#include "tests/simt/memory.h"
#include "tests/simt/race.h"

namespace dsf::simt {

/// A fiber that is never unwound: a kernel that met a fault is left where it is, and what lies on
/// its stack (plain data) is forgotten.
union FiberSlot {
  FiberSlot() {}
  ~FiberSlot() {}
  boost::context::fiber fiber;
};

enum class ThreadState { ready, at_collective, at_barrier, at_grid_barrier, ended };

/// A block that runs. One after another takes the same place.
struct Block {
  uint32_t number = 0;
  uint3 index;
  uint32_t barriers = 0;  // passed
  int barrier_count = 0;  // threads whose predicate held at the last
  std::map<const void*, Buffer*> shared;
  Buffer* dynamic = nullptr;
  size_t static_shared_bytes = 0;
};

/// One that was asked for and is not done yet.
struct AsyncCopy {
  std::byte* to;
  const std::byte* from;
  size_t bytes, zeros;
  size_t group;
  const void* where;  // in the code
};

struct Thread {
  FiberSlot slot;
  Block* block = nullptr;
  unsigned stack = 0;   // its place among all threads
  unsigned warp = 0;    // among all warps
  unsigned number = 0;  // within the block
  uint3 index;
  ThreadState state = ThreadState::ready;
  CodeLine site = CodeLine::here();  // where it waits
  Exchange request{};
  std::array<unsigned char, 16> result{};
  uint32_t ballot = 0;
  std::vector<AsyncCopy> copies;
  size_t copy_groups = 0;  // committed
};

class Launch {
 public:
  Launch(const LaunchConfig& config, uint64_t seed, void (*call)(const void*),
         const void* arguments, size_t argument_bytes);
  ~Launch();
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  /// Runs all blocks; throws Fault.
  void run();

  // For the thread that runs, unwatched.
  int wait_at_barrier(CodeLine site, bool predicate);
  void wait_at_grid_barrier(CodeLine site);
  uint32_t wait_for_collective(const Exchange& request, CodeLine site);
  void* shared_array(const void* id, const char* name, size_t bytes);
  void* dynamic_shared();
  void check(uintptr_t address, size_t size, AccessKind kind, const void* where);
  void copy_async(AsyncCopy copy);
  void commit_copies() { ++running_->copy_groups; }
  void wait_for_copies(size_t prior);
  /// Ends the launch; `where` is an address of code.
  [[noreturn]] void fault(const std::string& text, const void* where);

  const Thread* running() const { return running_; }
  /// Which block and thread of which launch, for messages.
  std::string place(const Thread& thread) const;

 private:
  void check_limits() const;
  /// Runs as many blocks as there are places for.
  void run_blocks(const std::vector<unsigned>& numbers);
  void start(Thread& thread);
  void resume(Thread& thread);
  void suspend();
  /// Runs threads until none is ready.
  void run_ready_threads();
  /// Lets threads go on that all wait at one barrier; else says what they wait for.
  void release_barriers();
  /// Lets the block go on if all its threads wait at one barrier. Not if they wait for the grid or
  /// have ended.
  bool release_barrier(Block& block);
  void release_grid_barrier();
  std::span<Thread> threads_of(const Block& block);
  std::string stuck_collective(const Thread& thread) const;
  /// Completes the collectives of a warp for which, since a lane ended, nobody is missing any more.
  void complete_collectives(unsigned warp);
  /// Whether `lane` keeps the collective of `thread` from its end, being elsewhere, or (unless
  /// `merely_absent`) in another one.
  bool missing(const Thread& thread, unsigned lane, bool merely_absent) const;
  bool all_arrived(const Thread& thread) const;
  void hand_over(unsigned warp, uint32_t mask);
  void record_fault(const std::string& text, const Thread& thread);
  /// Null where the block has no such thread.
  const Thread* lane_thread(unsigned warp, unsigned lane) const;
  Thread* lane_thread(unsigned warp, unsigned lane) {
    return const_cast<Thread*>(std::as_const(*this).lane_thread(warp, lane));
  }
  std::vector<unsigned> order(unsigned count);
  void check_other_memory(uintptr_t address, size_t size, AccessKind kind, const void* where);
  void check_buffer(Buffer& buffer, uintptr_t address, size_t size, AccessKind kind,
                    const void* where);

  LaunchConfig config_;
  uint64_t seed_;
  void (*call_)(const void*);
  const void* arguments_;
  size_t argument_bytes_;
  uint32_t number_;
  std::mt19937_64 engine_;

  std::vector<Block> blocks_;  // places
  unsigned block_threads_ = 0, block_warps_ = 0;
  std::vector<Thread> threads_;
  std::vector<WarpClock> clocks_;
  Thread* running_ = nullptr;
  boost::context::fiber scheduler_;
  std::string fault_;
};

/// The launch that runs, or null.
Launch* current_launch();

/// Whether a kernel's own code runs, whose accesses are checked. Not so within the simulation's
/// functions: they share inlined functions with instrumented files.
extern bool watching;

/// Within a function that kernels call.
class Unwatched {
 public:
  Unwatched() { watching = false; }
  ~Unwatched() { watching = true; }
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

}  // namespace dsf::simt
