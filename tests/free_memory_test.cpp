#include "engine/files/free_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace dsf {
namespace {

TEST(FreeMemory, IsWhatLinuxSays) {
  const auto file = std::filesystem::temp_directory_path() / fmt::format("dsf_memory_{}", getpid());
  const auto read = [&](const char* text) {
    std::ofstream(file) << text;
    return free_memory(file);
  };
  EXPECT_EQ(read("MemTotal:       900 kB\nMemFree:  7 kB\nMemAvailable:   500 kB\nHugePages:   0\n"
                 "SwapFree:   20 kB\n"),
            520 * 1024);
  EXPECT_EQ(read("MemAvailable: 3 kB\n"), 3 * 1024);
  EXPECT_EQ(read("MemFree: 3 kB\n"), std::nullopt);
  std::filesystem::remove(file);
  EXPECT_EQ(free_memory(file), std::nullopt);
}

}  // namespace
}  // namespace dsf
