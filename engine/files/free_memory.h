#pragma once
// How much memory the machine has left.
#include <cstdint>
#include <filesystem>
#include <optional>

namespace dsf {

/// Bytes that the system could give now, swap among them, as Linux tells them in `file`; nothing
/// where it does not.
std::optional<int64_t> free_memory(const std::filesystem::path& file = "/proc/meminfo");

}  // namespace dsf
