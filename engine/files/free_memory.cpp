#include "engine/files/free_memory.h"

#include <fstream>
#include <string>

namespace dsf {

std::optional<int64_t> free_memory(const std::filesystem::path& file) {
  std::ifstream lines(file);
  std::optional<int64_t> available;
  int64_t swap = 0, kibibytes = 0;
  for (std::string name, unit; lines >> name >> kibibytes && std::getline(lines, unit);) {
    if (name == "MemAvailable:") available = kibibytes;
    if (name == "SwapFree:") swap = kibibytes;
  }
  if (!available) return std::nullopt;
  return (*available + swap) * 1024;
}

}  // namespace dsf
