#include "tests/simt/device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "tests/simt/host_access.h"
#include "tests/simt/scheduler.h"
#include "tests/simt/simt.h"

namespace dsf::simt {
namespace {

uint64_t g_schedule = 0;
int g_multiprocessors = kMultiprocessors;
size_t g_max_shared_bytes = kMaxSharedBytes;
size_t g_max_allocation = kAnyAllocation;
bool g_kernels = true, g_cooperative = true;
unsigned g_allocations = 0;
std::optional<Recording> g_recording;
bool g_late = false;
Recording g_queue;  // of late streams: one, in the order of the calls, stands for all
HostCalls g_host_calls;
int64_t g_kernels_run = 0;

/// Whether calls keep work and do not do it.
bool keeps_work() {
  return g_recording || g_late;
}

/// Does what late streams have kept; what it calls is done at once.
void run_queue() {
  const bool late = std::exchange(g_late, false);
  const Recording queue = std::exchange(g_queue, {});
  try {
    for (const auto& work : queue) work();
  } catch (...) {
    g_late = late;
    throw;
  }
  g_late = late;
}

/// Opens a buffer of the device's to the processor while it lives; null: none.
class Opened {
 public:
  explicit Opened(const Buffer* buffer) : buffer_(buffer) { set(true); }
  ~Opened() { set(false); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

 private:
  void set(bool open) const {
    if (buffer_) Region::protect(*buffer_, open);
  }
  const Buffer* buffer_;
};

/// The device buffer that holds all `bytes` at `memory`.
Buffer& device_buffer(const void* memory, size_t bytes, const char* what) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  if (!device_memory().contains(address)) {
    throw Fault(fmt::format("{} of {} bytes at {}, which is not memory of the device", what, bytes,
                            memory));
  }
  Buffer* buffer = device_memory().find(address);
  if (!buffer || address + bytes > buffer->end()) {
    throw Fault(fmt::format("{} of {} bytes, {}", what, bytes, device_memory().describe(address)));
  }
  return *buffer;
}

void check_host(const void* memory, size_t bytes, const char* what) {
  if (device_memory().contains(reinterpret_cast<uintptr_t>(memory))) {
    throw Fault(fmt::format("{} of {} bytes: {} is memory of the device, not of the host", what,
                            bytes, memory));
  }
}

void check_written(Buffer& buffer, const void* memory, size_t bytes, const char* what) {
  const auto offset = reinterpret_cast<uintptr_t>(memory) - buffer.begin;
  const int64_t unwritten = buffer.first_unwritten(offset, bytes);
  if (unwritten >= 0) {
    throw Fault(fmt::format("{} of {} bytes: nobody has written byte {} of {}", what, bytes,
                            unwritten, buffer.name));
  }
}

}  // namespace

void set_schedule(uint64_t seed) {
  g_schedule = seed;
}

void set_multiprocessors(int count) {
  g_multiprocessors = count;
}

int multiprocessors() {
  return g_multiprocessors;
}

void set_max_shared_bytes(size_t bytes) {
  g_max_shared_bytes = bytes;
}

size_t max_shared_bytes() {
  return g_max_shared_bytes;
}

void set_max_allocation(size_t bytes) {
  g_max_allocation = bytes;
}

size_t max_allocation() {
  return g_max_allocation;
}

void set_abilities(bool kernels, bool cooperative) {
  g_kernels = kernels;
  g_cooperative = cooperative;
}

bool has_kernels() {
  return g_kernels;
}

bool has_cooperative_launches() {
  return g_cooperative;
}

int schedules() {
  const char* text = std::getenv("DSF_SIMT_SCHEDULES");
  return text ? std::max(1, std::atoi(text)) : 3;
}

void set_late(bool late) {
  run_queue();
  g_late = late;
}

HostCalls host_calls() {
  return g_host_calls;
}

int64_t launches() {
  return g_kernels_run;
}

void count_stream(int change) {
  g_host_calls.streams += change;
}

void synchronize() {
  ++g_host_calls.waits;
  run_queue();
}

void begin_recording() {
  if (g_recording) throw Fault("a recording begins within another");
  g_recording.emplace();
  ++g_host_calls.recordings;
}

Recording end_recording() {
  if (!g_recording) throw Fault("a recording ends that has not begun");
  return std::move(*std::exchange(g_recording, std::nullopt));
}

bool recording() {
  return g_recording.has_value();
}

bool record(const std::function<void()>& work) {
  if (keeps_work()) (g_recording ? *g_recording : g_queue).push_back(work);
  return keeps_work();
}

void launch(const LaunchConfig& config, void (*call)(const void*), const void* arguments,
            size_t argument_bytes) {
  if (keeps_work()) {  // with the arguments' values
    using Unit = std::max_align_t;
    const auto kept = std::make_shared<std::vector<Unit>>(argument_bytes / sizeof(Unit) + 1);
    std::memcpy(kept->data(), arguments, argument_bytes);
    record([=] { launch(config, call, kept->data(), argument_bytes); });
    return;
  }
  explain_host_accesses();
  ++g_kernels_run;
  Launch(config, g_schedule, call, arguments, argument_bytes).run();
}

int sync_threads(CodeLine site, bool predicate) {
  const Unwatched unwatched;
  return current_launch()->wait_at_barrier(site, predicate);
}

void trap(CodeLine site) {
  const Unwatched unwatched;
  current_launch()->fault(fmt::format("__trap at {}:{}", site.file, site.line), nullptr);
}

void sync_grid(CodeLine site) {
  const Unwatched unwatched;
  current_launch()->wait_at_grid_barrier(site);
}

uint32_t exchange(const Exchange& request, CodeLine site) {
  const Unwatched unwatched;
  return current_launch()->wait_for_collective(request, site);
}

unsigned lane() {
  return current_launch()->running()->number % kWarp;
}

void* shared_array(const void* id, const char* name, size_t bytes) {
  const Unwatched unwatched;
  return current_launch()->shared_array(id, name, bytes);
}

void* dynamic_shared() {
  const Unwatched unwatched;
  return current_launch()->dynamic_shared();
}

void* allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (g_recording) throw Fault("cudaMalloc while a graph is recorded");
  explain_host_accesses();
  Buffer& buffer = device_memory().add(
      fmt::format("device buffer {} (of {} bytes)", ++g_allocations, bytes), bytes);
  return buffer.data;
}

void release(void* memory) {
  if (!memory) return;
  run_queue();  // cudaFree waits
  Buffer& buffer = device_buffer(memory, 1, "cudaFree");
  if (buffer.data != memory) {
    throw Fault(fmt::format("cudaFree of {} inside {}", memory, buffer.name));
  }
  device_memory().remove(buffer);
}

void copy(void* to, const void* from, size_t bytes, Copy direction) {
  if (bytes == 0 || record([=] { copy(to, from, bytes, direction); })) return;
  Buffer* source = nullptr;
  if (direction == Copy::to_device) {
    check_host(from, bytes, "copy");
  } else {
    source = &device_buffer(from, bytes, "copy");
    check_written(*source, from, bytes, "copy");
  }
  Buffer* target = nullptr;
  if (direction == Copy::to_host) {
    check_host(to, bytes, "copy");
  } else {
    target = &device_buffer(to, bytes, "copy");
  }
  const Opened open_source(source), open_target(target);
  std::memmove(to, from, bytes);
  if (target) target->mark_written(reinterpret_cast<uintptr_t>(to) - target->begin, bytes);
}

void fill(void* memory, int value, size_t bytes) {
  if (bytes == 0 || record([=] { fill(memory, value, bytes); })) return;
  Buffer& buffer = device_buffer(memory, bytes, "cudaMemset");
  const Opened opened(&buffer);
  std::memset(memory, value, bytes);
  buffer.mark_written(reinterpret_cast<uintptr_t>(memory) - buffer.begin, bytes);
}

}  // namespace dsf::simt
