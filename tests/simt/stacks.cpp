#include "tests/simt/stacks.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "kernels/common/checks.h"

namespace dsf::simt {
namespace {

constexpr size_t kGuard = 4096, kStack = 64 * 1024 - kGuard;

std::byte* stacks() {
  static std::byte* const begin = [] {
    void* memory = mmap(nullptr, kStacks * (kGuard + kStack), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for the threads' stacks: {}", std::strerror(errno));
    return static_cast<std::byte*>(memory);
  }();
  return begin;
}

}  // namespace

Stack thread_stack(unsigned number) {
  static unsigned made = 0;  // most launches need few
  for (; made <= number; ++made) {
    mprotect(stacks() + made * (kGuard + kStack), kGuard, PROT_NONE);
  }
  std::byte* end = stacks() + (number + 1) * (kGuard + kStack);
  return {end - kStack, end};
}

int stack_owner(uintptr_t address) {
  const uintptr_t offset = address - reinterpret_cast<uintptr_t>(stacks());
  return offset < kStacks * (kGuard + kStack) ? static_cast<int>(offset / (kGuard + kStack)) : -1;
}

}  // namespace dsf::simt
