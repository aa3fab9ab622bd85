#include "engine/files/free_memory.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace dsf {
namespace {

namespace fs = std::filesystem;

class FreeMemory : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  std::optional<int64_t> read() const {
    return free_memory({folder_ / "meminfo", folder_ / "cgroup", folder_ / "groups"});
  }

  const fs::path folder_ = fs::temp_directory_path() / fmt::format("dsf_memory_{}", getpid());
};

TEST_F(FreeMemory, IsWhatLinuxSays) {
  EXPECT_EQ(read(), std::nullopt);
  write("meminfo",
        "MemTotal:       900 kB\nMemFree:  7 kB\nMemAvailable:   500 kB\nHugePages:   0\n"
        "SwapFree:   20 kB\n");
  EXPECT_EQ(read(), 520 * 1024);
  write("meminfo", "MemAvailable: 3 kB\n");
  EXPECT_EQ(read(), 3 * 1024);
  write("meminfo", "MemFree: 3 kB\n");
  EXPECT_EQ(read(), std::nullopt);
}

TEST_F(FreeMemory, IsNoMoreThanTheControlGroupsHaveLeft) {
  write("meminfo", "MemAvailable: 100 kB\n");
  write("cgroup", "1:memory:/other\n0::/job/step\n");
  write("groups/other/memory.max", "1\n");
  write("groups/other/memory.current", "0\n");
  write("groups/job/step/memory.max", "max\n");
  write("groups/job/step/memory.current", "40000\n");
  EXPECT_EQ(read(), 100 * 1024) << "no limit";
  write("groups/job/memory.max", "70000\n");
  write("groups/job/memory.current", "50000\n");
  EXPECT_EQ(read(), 20'000);
  write("groups/job/memory.stat", "anon 1\nfile 9000\ninactive_file 5000\nactive_file 3000\n");
  EXPECT_EQ(read(), 28'000);
  write("groups/job/memory.current", "80000\n");
  EXPECT_EQ(read(), 0);
  write("groups/memory.max", "200000\n");  // of a container that sees no groups above it
  write("groups/memory.current", "199000\n");
  write("cgroup", "0::/\n");
  EXPECT_EQ(read(), 1000);
}

}  // namespace
}  // namespace dsf
