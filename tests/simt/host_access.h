#pragma once

namespace dsf::simt {

/// From now on, where the program dies of an access to the simulated device's memory from the host,
/// or of a thread's stack that overflowed, it says so first.
void explain_host_accesses();

}  // namespace dsf::simt
