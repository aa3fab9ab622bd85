// Every access of a kernel to memory, as the compiler reports it. The simulated kernels are
// compiled with -fsanitize=thread and -fsanitize=alignment, whose calls are answered here instead
// of by the sanitizers' libraries; nothing else of the program is compiled so.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tests/simt/code_place.h"
#include "tests/simt/device.h"
#include "tests/simt/scheduler.h"
#include "tests/simt/stacks.h"

namespace dsf::simt {

void Launch::check(uintptr_t address, size_t size, AccessKind kind, const void* where) {
  const Region* region = device_memory().contains(address)   ? &device_memory()
                         : shared_memory().contains(address) ? &shared_memory()
                                                             : nullptr;
  if (!region) return check_other_memory(address, size, kind, where);
  Buffer* buffer = region->find(address);
  if (!buffer || address + size > buffer->end()) {
    fault(fmt::format("out of bounds: {} of {} bytes, {}",
                      kind == AccessKind::read ? "read" : "write", size, region->describe(address)),
          where);
  }
  check_buffer(*buffer, address, size, kind, where);
}

void Launch::check_buffer(Buffer& buffer, uintptr_t address, size_t size, AccessKind kind,
                          const void* where) {
  const Thread& thread = *running_;
  const WarpClock& clock = clocks_[thread.warp];
  const Stamp now{number_, thread.block->number, thread.number, thread.block->barriers,
                  clock.time(thread.number % kWarp)};
  const auto [first, last] = buffer.cells(address - buffer.begin, size);
  for (Cell* cell = first; cell != last; ++cell) {
    const bool unwritten = !cell->written && kind != AccessKind::write;
    const Race race = check_access(*cell, kind, now, clock);
    if (race.earlier) {
      fault(fmt::format("race: {} of {} bytes, byte {} of {}, not ordered after the {} by "
                        "block {}, thread {}",
                        kind == AccessKind::read    ? "read"
                        : kind == AccessKind::write ? "write"
                                                    : "atomic operation",
                        size, address - buffer.begin, buffer.name, race.earlier, race.by.block,
                        race.by.thread),
            where);
    }
    if (unwritten) {
      fault(fmt::format("read of memory that nobody has written: {} bytes, byte {} of {}", size,
                        address - buffer.begin, buffer.name),
            where);
    }
  }
}

void Launch::copy_async(AsyncCopy copy) {
  if ((copy.bytes != 4 && copy.bytes != 8 && copy.bytes != 16) || copy.zeros > copy.bytes) {
    fault(fmt::format("an asynchronous copy of {} bytes, {} of them zero; it can be 4, 8 or 16",
                      copy.bytes, copy.zeros),
          copy.where);
  }
  const auto to = reinterpret_cast<uintptr_t>(copy.to);
  if (!shared_memory().contains(to)) {
    fault("an asynchronous copy to what is not shared memory", copy.where);
  }
  if (copy.zeros < copy.bytes) {
    check(reinterpret_cast<uintptr_t>(copy.from), copy.bytes - copy.zeros, AccessKind::read,
          copy.where);
  }
  check(to, copy.bytes, AccessKind::write, copy.where);
  shared_memory().find(to)->mark_unwritten(to, copy.bytes);
  copy.group = running_->copy_groups;
  running_->copies.push_back(copy);
}

void Launch::wait_for_copies(size_t prior) {
  Thread& thread = *running_;
  const auto done = std::stable_partition(
      thread.copies.begin(), thread.copies.end(),
      [&](const AsyncCopy& copy) { return copy.group + prior < thread.copy_groups; });
  for (auto copy = thread.copies.begin(); copy != done; ++copy) {
    const size_t read = copy->bytes - copy->zeros;
    if (read > 0) {
      check(reinterpret_cast<uintptr_t>(copy->from), read, AccessKind::read, copy->where);
    }
    check(reinterpret_cast<uintptr_t>(copy->to), copy->bytes, AccessKind::write, copy->where);
    std::memcpy(copy->to, copy->from, read);
    std::memset(copy->to + read, 0, copy->zeros);
  }
  thread.copies.erase(thread.copies.begin(), done);
}

void Launch::check_other_memory(uintptr_t address, size_t size, AccessKind kind,
                                const void* where) {
  const int owner = stack_owner(address);
  if (owner == static_cast<int>(running_->stack)) return;
  if (owner >= 0) {
    fault(fmt::format("access of {} bytes to local memory of thread {} of those that run", size,
                      owner),
          where);
  }
  const auto within = [&](const void* begin, size_t bytes) {
    const auto first = reinterpret_cast<uintptr_t>(begin);
    return address >= first && address + size <= first + bytes;
  };
  if (kind == AccessKind::read &&
      (within(arguments_, argument_bytes_) || within(&builtins, sizeof builtins) ||
       is_constant_data(address))) {
    return;
  }
  fault(fmt::format("out of bounds: {} of {} bytes at {:#x}, which is not memory of the device",
                    kind == AccessKind::read ? "read" : "write", size, address),
        where);
}

namespace {

void check(const volatile void* address, size_t size, AccessKind kind, const void* where) {
  if (!watching) return;
  const Unwatched unwatched;
  current_launch()->check(reinterpret_cast<uintptr_t>(address), size, kind, where);
}

void check_alignment(const void* address, size_t alignment, const void* where) {
  if (!watching || reinterpret_cast<uintptr_t>(address) % alignment == 0) return;
  const Unwatched unwatched;
  current_launch()->fault(
      fmt::format("misaligned access at {}, which is not a multiple of {} bytes", address,
                  alignment),
      where);
}

}  // namespace

void copy_async(void* shared, const void* global, size_t bytes, size_t zeros) {
  const void* where = __builtin_return_address(0);
  check_alignment(shared, bytes, where);
  check_alignment(global, bytes, where);
  const Unwatched unwatched;
  current_launch()->copy_async({static_cast<std::byte*>(shared),
                                static_cast<const std::byte*>(global), bytes, zeros, 0, where});
}

void commit_copies() {
  const Unwatched unwatched;
  current_launch()->commit_copies();
}

void wait_for_copies(size_t prior) {
  const Unwatched unwatched;
  current_launch()->wait_for_copies(prior);
}

void check_atomic(const void* address, size_t size) {
  const void* where = __builtin_return_address(0);
  check_alignment(address, size, where);
  check(address, size, AccessKind::atomic, where);
}

}  // namespace dsf::simt

// GCC's and clang's names. -fsanitize=alignment also reports null pointers that are used.
using dsf::simt::AccessKind;
#define DSF_HERE __builtin_return_address(0)
#define DSF_ACCESS(size)                                          \
  void __tsan_read##size(void* address) {                         \
    dsf::simt::check(address, size, AccessKind::read, DSF_HERE);  \
  }                                                               \
  void __tsan_write##size(void* address) {                        \
    dsf::simt::check(address, size, AccessKind::write, DSF_HERE); \
  }                                                               \
  void __tsan_unaligned_read##size(void* address) {               \
    dsf::simt::check(address, size, AccessKind::read, DSF_HERE);  \
  }                                                               \
  void __tsan_unaligned_write##size(void* address) {              \
    dsf::simt::check(address, size, AccessKind::write, DSF_HERE); \
  }

extern "C" {

DSF_ACCESS(1)
DSF_ACCESS(2)
DSF_ACCESS(4)
DSF_ACCESS(8)
DSF_ACCESS(16)

void __tsan_read_range(void* address, size_t size) {
  dsf::simt::check(address, size, AccessKind::read, DSF_HERE);
}
void __tsan_write_range(void* address, size_t size) {
  dsf::simt::check(address, size, AccessKind::write, DSF_HERE);
}

// Nothing to do: no objects with virtual functions on a GPU, and our fibers are our own.
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

// Atomics of host code in the same files (std::shared_ptr, guards of static variables), as they
// are; kernels have CUDA's, which are check_atomic's.
#define DSF_ATOMIC(bits)                                                                        \
  uint##bits##_t __tsan_atomic##bits##_load(const uint##bits##_t* address, int) {               \
    return __atomic_load_n(address, __ATOMIC_SEQ_CST);                                          \
  }                                                                                             \
  void __tsan_atomic##bits##_store(uint##bits##_t* address, uint##bits##_t value, int) {        \
    __atomic_store_n(address, value, __ATOMIC_SEQ_CST);                                         \
  }                                                                                             \
  uint##bits##_t __tsan_atomic##bits##_fetch_add(uint##bits##_t* address, uint##bits##_t value, \
                                                 int) {                                         \
    return __atomic_fetch_add(address, value, __ATOMIC_SEQ_CST);                                \
  }                                                                                             \
  uint##bits##_t __tsan_atomic##bits##_fetch_sub(uint##bits##_t* address, uint##bits##_t value, \
                                                 int) {                                         \
    return __atomic_fetch_sub(address, value, __ATOMIC_SEQ_CST);                                \
  }
DSF_ATOMIC(8)
DSF_ATOMIC(32)
DSF_ATOMIC(64)

/// What -fsanitize=alignment hands over: where, and the alignment's logarithm.
struct TypeMismatch {
  const char* file;
  uint32_t line, column;
  const void* type;
  unsigned char log_alignment;
  unsigned char kind;
};
void __ubsan_handle_type_mismatch_v1(TypeMismatch* data, void* address) {
  dsf::simt::check_alignment(address, size_t{1} << data->log_alignment, DSF_HERE);
}

}  // extern "C"
