#pragma once
// The stacks of a block's threads: made once, each with a page below it that faults.
#include <cstddef>
#include <cstdint>

namespace dsf::simt {

struct Stack {
  std::byte *begin, *end;
};

/// The stack of thread `number` (0 … 1023) of a block.
Stack thread_stack(unsigned number);
/// Whose stack, or the page below it, holds `address`; −1: nobody's.
int stack_owner(uintptr_t address);

}  // namespace dsf::simt
