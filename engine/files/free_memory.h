#pragma once
// How much memory a program could have.
#include <cstdint>
#include <filesystem>
#include <optional>

namespace dsf {

/// Where Linux tells it.
struct MemoryFiles {
  std::filesystem::path machine = "/proc/meminfo";
  std::filesystem::path own_group = "/proc/self/cgroup";  // the control group of this process
  std::filesystem::path groups = "/sys/fs/cgroup";        // the root of those of version 2
};

/// Bytes that the system could give now, swap among them, within the limits of the control group
/// (of a container, or a job); nothing where the system does not tell.
std::optional<int64_t> free_memory(const MemoryFiles& files = {});

}  // namespace dsf
