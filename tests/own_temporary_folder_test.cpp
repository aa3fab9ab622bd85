// Tests are processes that run at the same time: what a test calls a temporary file is to be its
// process's own, whatever the name.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

namespace dsf {
namespace {

namespace fs = std::filesystem;

/// Points ::testing::TempDir() and std::filesystem::temp_directory_path(), here and in programs
/// that a test starts, at a new folder, which is removed after the tests.
class OwnTemporaryFolder : public ::testing::Environment {
 public:
  void SetUp() override {
    // mkdtemp puts other letters into the place of the six.
    std::string folder = (fs::temp_directory_path() / "dsf_tests_XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr) << folder;
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (const char* value = std::getenv(kNames[i])) before_[i] = value;
      ::setenv(kNames[i], folder.c_str(), 1);
    }
    folder_ = folder;
  }
  void TearDown() override {
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (before_[i].empty()) {
        ::unsetenv(kNames[i]);
      } else {
        ::setenv(kNames[i], before_[i].c_str(), 1);
      }
    }
    fs::remove_all(folder_);
  }

 private:
  static constexpr const char* kNames[] = {"TMPDIR", "TEST_TMPDIR"};
  std::string before_[std::size(kNames)];
  fs::path folder_;
};

[[maybe_unused]] ::testing::Environment* const environment =
    ::testing::AddGlobalTestEnvironment(new OwnTemporaryFolder);

}  // namespace

TEST(OwnTemporaryFolder, IsOfThisProcess) {
  const fs::path folder = fs::temp_directory_path();
  EXPECT_EQ(folder.filename().string().rfind("dsf_tests_", 0), 0U) << folder;
  EXPECT_TRUE(fs::equivalent(folder, ::testing::TempDir())) << ::testing::TempDir();
}

}  // namespace dsf
