#pragma once
// The stacks of a launch's threads: made once, each with a page below it that faults.
#include <cstddef>
#include <cstdint>

namespace dsf::simt {

struct Stack {
  std::byte *begin, *end;
};

/// How many threads there can be at once.
inline constexpr unsigned kStacks = 4096;

/// Stack `number`, below kStacks.
Stack thread_stack(unsigned number);
/// Whose stack, or the page below it, holds `address`; −1: nobody's.
int stack_owner(uintptr_t address);

}  // namespace dsf::simt
