#include "engine/files/free_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

namespace dsf {
namespace {

namespace fs = std::filesystem;

/// Bytes that a control group may still take; nothing where it has no limit. What it holds of files
/// is given up when memory is wanted.
std::optional<int64_t> left_of_group(const fs::path& group) {
  int64_t most = 0, used = 0, files = 0, bytes = 0;
  if (!(std::ifstream(group / "memory.max") >> most)) return std::nullopt;  // "max"
  if (!(std::ifstream(group / "memory.current") >> used)) return std::nullopt;
  std::ifstream parts(group / "memory.stat");
  for (std::string name; parts >> name >> bytes;) {
    if (name == "active_file" || name == "inactive_file") files += bytes;
  }
  return std::max<int64_t>(0, most - std::max<int64_t>(0, used - files));
}

}  // namespace

std::optional<int64_t> free_memory(const MemoryFiles& files) {
  std::ifstream lines(files.machine);
  std::optional<int64_t> available;
  int64_t swap = 0, kibibytes = 0;
  for (std::string name, unit; lines >> name >> kibibytes && std::getline(lines, unit);) {
    if (name == "MemAvailable:") available = kibibytes;
    if (name == "SwapFree:") swap = kibibytes;
  }
  if (!available) return std::nullopt;
  int64_t free = (*available + swap) * 1024;
  // Version 2's line is "0::/path"; a group has the limits of those above it, too.
  std::ifstream groups(files.own_group);
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    for (fs::path group = line.substr(4);; group = group.parent_path()) {
      free = std::min(free, left_of_group(files.groups / group).value_or(free));
      if (group.empty()) break;
    }
  }
  return free;
}

}  // namespace dsf
