#include "tests/simt/scheduler.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "tests/simt/code_place.h"
#include "tests/simt/simt.h"
#include "tests/simt/stacks.h"

namespace dsf::simt {

Builtins builtins;
bool watching = false;

namespace {

Launch* g_launch = nullptr;
uint32_t g_launches = 0;

// Of the H100: CUDA C++ Programming Guide, "Compute Capabilities".
constexpr unsigned kMaxThreads = 1024, kMaxBlockDepth = 64;
constexpr size_t kMaxStaticShared = 48 * 1024;

constexpr uint64_t kMaxSimulatedBlocks = 1 << 22, kMaxCooperativeBlocks = 16;

/// Stacks are kept for the next launch.
struct KeepStack {
  void deallocate(boost::context::stack_context&) const {}
};

unsigned volume(const dim3& size) {
  return size.x * size.y * size.z;
}

uint3 unflatten(uint32_t number, const dim3& size) {
  return {number % size.x, number / size.x % size.y, number / size.x / size.y};
}

bool same_site(CodeLine a, CodeLine b) {
  return a.line == b.line && std::strcmp(a.file, b.file) == 0;
}

std::string site_name(CodeLine site) {
  return fmt::format("{}:{}", site.file, site.line);
}

std::string what_it_does(const Thread& thread) {
  switch (thread.state) {
    case ThreadState::ended:
      return "has ended";
    case ThreadState::at_barrier:
      return "waits at __syncthreads at " + site_name(thread.site);
    case ThreadState::at_grid_barrier:
      return "waits at a grid barrier at " + site_name(thread.site);
    case ThreadState::at_collective:
      return fmt::format("waits in {} (mask {:#x}) at {}", thread.request.what, thread.request.mask,
                         site_name(thread.site));
    case ThreadState::ready:
      break;
  }
  return "runs";
}

}  // namespace

Launch* current_launch() {
  return g_launch;
}

Launch::Launch(const LaunchConfig& config, uint64_t seed, void (*call)(const void*),
               const void* arguments, size_t argument_bytes)
    : config_(config),
      seed_(seed),
      call_(call),
      arguments_(arguments),
      argument_bytes_(argument_bytes),
      number_(++g_launches),
      engine_(seed) {
  check_limits();
  blocks_ = std::vector<Block>(config.cooperative ? volume(config.grid) : 1);
  block_threads_ = volume(config.block);
  block_warps_ = (block_threads_ + kWarp - 1) / kWarp;
  threads_ = std::vector<Thread>(blocks_.size() * block_threads_);
  for (unsigned i = 0; i < threads_.size(); ++i) {
    Thread& thread = threads_[i];
    thread.block = &blocks_[i / block_threads_];
    thread.stack = i;
    thread.number = i % block_threads_;
    thread.warp = i / block_threads_ * block_warps_ + thread.number / kWarp;
    thread.index = unflatten(thread.number, config.block);
  }
  for (Block& block : blocks_) {
    if (config.shared_bytes == 0) break;
    block.dynamic = &shared_memory().add(
        fmt::format("dynamic shared memory (of {} bytes)", config.shared_bytes),
        config.shared_bytes);
  }
  builtins.block_size = config.block;
  builtins.grid_size = config.grid;
  device_memory().set_open(true);
  g_launch = this;
}

Launch::~Launch() {
  g_launch = nullptr;
  device_memory().set_open(false);
  for (const Block& block : blocks_) {
    for (const auto& [id, buffer] : block.shared) shared_memory().remove(*buffer);
    if (block.dynamic) shared_memory().remove(*block.dynamic);
  }
}

void Launch::check_limits() const {
  const auto refuse = [this](const std::string& text) {
    throw Fault(fmt::format("launch at {}: {}", site_name(config_.site), text));
  };
  if (g_launch) refuse("a kernel cannot launch another here");
  const dim3 &block = config_.block, &grid = config_.grid;
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || block.x > kMaxThreads || block.y > kMaxThreads || block.z > kMaxBlockDepth ||
      threads > kMaxThreads) {
    refuse(fmt::format("a block of {} x {} x {} threads; limits: 1 to {} in all, {} deep", block.x,
                       block.y, block.z, kMaxThreads, kMaxBlockDepth));
  }
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  if (blocks > kMaxSimulatedBlocks) {
    refuse(fmt::format("more than {} blocks, which would take too long here", kMaxSimulatedBlocks));
  }
  if (config_.cooperative && (blocks > kMaxCooperativeBlocks || blocks * threads > kStacks)) {
    refuse(fmt::format("{} cooperative blocks of {} threads; here at most {}, and {} threads",
                       blocks, threads, kMaxCooperativeBlocks, kStacks));
  }
  if (config_.shared_bytes > max_shared_bytes()) {
    refuse(fmt::format("{} bytes of dynamic shared memory; limit: {}", config_.shared_bytes,
                       max_shared_bytes()));
  }
}

void Launch::run() {
  const std::vector<unsigned> numbers = order(volume(config_.grid));
  for (auto next = numbers.begin(); next != numbers.end(); next += std::ssize(blocks_)) {
    run_blocks({next, next + std::ssize(blocks_)});
    if (!fault_.empty()) throw Fault(fault_);
  }
}

std::vector<unsigned> Launch::order(unsigned count) {
  std::vector<unsigned> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0U);
  if (seed_ != 0) std::shuffle(numbers.begin(), numbers.end(), engine_);
  return numbers;
}

void Launch::run_blocks(const std::vector<unsigned>& numbers) {
  for (size_t i = 0; i < blocks_.size(); ++i) {
    Block& block = blocks_[i];
    block.number = numbers[i];
    block.index = unflatten(block.number, config_.grid);
    block.barriers = 0;
    for (const auto& [id, buffer] : block.shared) buffer->poison();
    if (block.dynamic) block.dynamic->poison();
  }
  clocks_.assign(blocks_.size() * block_warps_, WarpClock{});
  for (Thread& thread : threads_) start(thread);
  while (fault_.empty()) {
    run_ready_threads();
    if (std::all_of(threads_.begin(), threads_.end(),
                    [](const Thread& thread) { return thread.state == ThreadState::ended; })) {
      return;
    }
    if (fault_.empty()) release_barriers();
  }
}

void Launch::start(Thread& thread) {
  const Stack stack = thread_stack(thread.stack);
  boost::context::stack_context context;
  context.sp = stack.end;
  context.size = static_cast<size_t>(stack.end - stack.begin);
  thread.state = ThreadState::ready;
  thread.copies.clear();
  thread.copy_groups = 0;
  // What an abandoned launch left in the slot is not destroyed: see FiberSlot.
  new (&thread.slot.fiber) boost::context::fiber(
      std::allocator_arg, boost::context::preallocated(context.sp, context.size, context),
      KeepStack{}, [this, &thread](boost::context::fiber&& scheduler) {
        scheduler_ = std::move(scheduler);
        watching = true;
        call_(arguments_);
        watching = false;
        thread.state = ThreadState::ended;
        return std::move(scheduler_);
      });
}

void Launch::resume(Thread& thread) {
  builtins.thread = thread.index;
  builtins.block = thread.block->index;
  running_ = &thread;
  thread.slot.fiber = std::move(thread.slot.fiber).resume();
  running_ = nullptr;
  if (thread.state == ThreadState::ended) complete_collectives(thread.warp);
}

void Launch::suspend() {
  scheduler_ = std::move(scheduler_).resume();
}

void Launch::run_ready_threads() {
  for (bool ran = true; ran;) {
    ran = false;
    for (const unsigned warp : order(static_cast<unsigned>(clocks_.size()))) {
      // Some warps run ahead as far as they can, others do one step.
      for (bool again = true; again;) {
        again = false;
        for (const unsigned lane : order(kWarp)) {
          Thread* thread = lane_thread(warp, lane);
          if (!thread || thread->state != ThreadState::ready) continue;
          resume(*thread);
          if (!fault_.empty()) return;
          ran = true;
          again = seed_ == 0 || engine_() % 4 != 0;
        }
      }
    }
  }
}

const Thread* Launch::lane_thread(unsigned warp, unsigned lane) const {
  const unsigned number = warp % block_warps_ * kWarp + lane;
  if (number >= block_threads_) return nullptr;
  return &threads_[warp / block_warps_ * block_threads_ + number];
}

int Launch::wait_at_barrier(CodeLine site, bool predicate) {
  running_->site = site;
  running_->request.predicate = predicate;
  running_->state = ThreadState::at_barrier;
  suspend();
  return running_->block->barrier_count;
}

void Launch::wait_at_grid_barrier(CodeLine site) {
  if (!config_.cooperative) {
    fault("a grid barrier at " + site_name(site) + ", but the launch is not cooperative", nullptr);
  }
  running_->site = site;
  running_->state = ThreadState::at_grid_barrier;
  suspend();
}

std::span<Thread> Launch::threads_of(const Block& block) {
  const auto place = static_cast<size_t>(&block - blocks_.data());
  return std::span(threads_).subspan(place * block_threads_, block_threads_);
}

void Launch::release_barriers() {
  bool released = false;
  for (Block& block : blocks_) {
    released |= release_barrier(block);
    if (!fault_.empty()) return;
  }
  if (!released) release_grid_barrier();
}

bool Launch::release_barrier(Block& block) {
  const std::span<Thread> threads = threads_of(block);
  for (const Thread& thread : threads) {
    if (thread.state != ThreadState::at_collective) continue;
    record_fault(stuck_collective(thread), thread);
    return false;
  }
  const auto waits = std::find_if(threads.begin(), threads.end(), [](const Thread& thread) {
    return thread.state != ThreadState::ended;
  });
  if (waits == threads.end()) return false;
  for (const Thread& thread : threads) {
    if (thread.state == waits->state && same_site(thread.site, waits->site)) continue;
    record_fault(
        fmt::format("divergent barrier: thread {} of the block {}, but thread {} {}", waits->number,
                    what_it_does(*waits), thread.number, what_it_does(thread)),
        *waits);
    return false;
  }
  if (waits->state == ThreadState::at_grid_barrier) return false;
  ++block.barriers;
  block.barrier_count = 0;
  for (Thread& thread : threads) {
    if (thread.request.predicate) ++block.barrier_count;
    thread.state = ThreadState::ready;
  }
  return true;
}

void Launch::release_grid_barrier() {
  // Of a block all threads do the same here.
  const auto waits = std::find_if(threads_.begin(), threads_.end(), [](const Thread& thread) {
    return thread.state == ThreadState::at_grid_barrier;
  });
  for (const Thread& thread : threads_) {
    if (thread.state == waits->state && same_site(thread.site, waits->site)) continue;
    return record_fault(
        fmt::format("divergent grid barrier: block {} {}, but block {} {}", waits->block->number,
                    what_it_does(*waits), thread.block->number, what_it_does(thread)),
        *waits);
  }
  number_ = ++g_launches;  // to the race detector what follows is another launch
  for (Thread& thread : threads_) thread.state = ThreadState::ready;
}

uint32_t Launch::wait_for_collective(const Exchange& request, CodeLine site) {
  Thread& thread = *running_;
  thread.site = site;
  thread.request = request;
  if (!(request.mask >> thread.number % kWarp & 1U)) {
    record_fault(fmt::format("{} at {}: lane {} is not in its own mask {:#x}", request.what,
                             site_name(site), thread.number % kWarp, request.mask),
                 thread);
  }
  thread.state = ThreadState::at_collective;
  if (all_arrived(thread)) hand_over(thread.warp, request.mask);
  suspend();
  if (request.size > 0 && !request.combine)
    std::memcpy(request.value, thread.result.data(), request.size);
  return thread.ballot;
}

bool Launch::missing(const Thread& thread, unsigned lane, bool merely_absent) const {
  const Thread* other = lane_thread(thread.warp, lane);
  if (!(thread.request.mask >> lane & 1U) || !other || other->state == ThreadState::ended) {
    return false;
  }
  if (other->state != ThreadState::at_collective) return true;
  if (merely_absent) return false;
  return other->request.mask != thread.request.mask ||
         std::strcmp(other->request.what, thread.request.what) != 0 ||
         !same_site(other->site, thread.site);
}

bool Launch::all_arrived(const Thread& thread) const {
  for (const bool merely_absent : {true, false}) {  // the quick question first
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      if (missing(thread, lane, merely_absent)) return false;
    }
  }
  return true;
}

void Launch::complete_collectives(unsigned warp) {
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const Thread* thread = lane_thread(warp, lane);
    if (!thread || thread->state != ThreadState::at_collective || !all_arrived(*thread)) continue;
    hand_over(warp, thread->request.mask);
  }
}

void Launch::hand_over(unsigned warp, uint32_t mask) {
  uint32_t there = 0, ballot = 0;
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    const Thread* thread = lane_thread(warp, lane);
    if (!(mask >> lane & 1U) || !thread || thread->state == ThreadState::ended) continue;
    there |= 1U << lane;
    if (thread->request.predicate) ballot |= 1U << lane;
  }
  const Thread& first = *lane_thread(warp, static_cast<unsigned>(std::countr_zero(there)));
  if (first.request.combine) {
    if (~there != 0) {
      return record_fault(fmt::format("{} at {}: by the lanes {:#x} of a warp, not by all",
                                      first.request.what, site_name(first.site), there),
                          first);
    }
    std::array<void*, kWarp> values{};
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      Thread& thread = *lane_thread(warp, lane);
      values[lane] = thread.request.value;
      thread.state = ThreadState::ready;
    }
    first.request.combine(values.data());
    return;  // no memory is ordered by it
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(there >> lane & 1U)) continue;
    Thread& thread = *lane_thread(warp, lane);
    const Exchange& request = thread.request;
    if (!(there >> request.source & 1U)) {
      return record_fault(
          fmt::format("{} at {}: lane {} reads from lane {}, which takes no part "
                      "(mask {:#x}, there {:#x})",
                      request.what, site_name(thread.site), lane, request.source, mask, there),
          thread);
    }
    if (request.size > 0) {
      std::memcpy(thread.result.data(), lane_thread(warp, request.source)->request.value,
                  request.size);
    }
    thread.ballot = ballot;
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (there >> lane & 1U) lane_thread(warp, lane)->state = ThreadState::ready;
  }
  clocks_[warp].meet(there);
}

std::string Launch::stuck_collective(const Thread& thread) const {
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!missing(thread, lane, false)) continue;
    return fmt::format("divergent warp: lane {} {}, but lane {} {}", thread.number % kWarp,
                       what_it_does(thread), lane, what_it_does(*lane_thread(thread.warp, lane)));
  }
  return "a collective that all have reached did not end: an error of the simulation";
}

void* Launch::shared_array(const void* id, const char* name, size_t bytes) {
  Block& block = *running_->block;
  const auto found = block.shared.find(id);
  if (found != block.shared.end()) return found->second->data;
  block.static_shared_bytes += bytes;
  if (block.static_shared_bytes > kMaxStaticShared) {
    fault(fmt::format("{} bytes of static shared memory with '{}'; limit: {}",
                      block.static_shared_bytes, name, kMaxStaticShared),
          nullptr);
  }
  if (block.static_shared_bytes + config_.shared_bytes > max_shared_bytes()) {
    fault(fmt::format("{} bytes of static and {} of dynamic shared memory; limit: {}",
                      block.static_shared_bytes, config_.shared_bytes, max_shared_bytes()),
          nullptr);
  }
  Buffer& buffer =
      shared_memory().add(fmt::format("shared array '{}' (of {} bytes)", name, bytes), bytes);
  block.shared[id] = &buffer;
  return buffer.data;
}

void* Launch::dynamic_shared() {
  Buffer* dynamic = running_->block->dynamic;
  if (!dynamic) fault("dynamic shared memory used, but the launch asks for none", nullptr);
  return dynamic->data;
}

std::string Launch::place(const Thread& thread) const {
  return fmt::format("launched at {}, schedule {}, block ({}, {}, {}), thread ({}, {}, {})",
                     site_name(config_.site), seed_, thread.block->index.x, thread.block->index.y,
                     thread.block->index.z, thread.index.x, thread.index.y, thread.index.z);
}

void Launch::record_fault(const std::string& text, const Thread& thread) {
  if (fault_.empty()) fault_ = fmt::format("{}\n  {}", text, place(thread));
}

void Launch::fault(const std::string& text, const void* where) {
  record_fault(where ? text + "\n  at " + code_place(where) : text, *running_);
  suspend();
  std::abort();  // nobody resumes a launch that has a fault
}

}  // namespace dsf::simt
