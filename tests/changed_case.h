#pragma once
// Golden cases of this repository with something changed.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "engine/files/safetensors.h"

namespace dsf::testing {

/// A copy of a case of this repository with something changed, in a folder of the test's own.
class ChangedCase {
 public:
  ChangedCase(const std::filesystem::path& original, const std::function<void(TensorFile&)>& change)
      : directory_(std::filesystem::path(::testing::TempDir()) /
                   ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    std::filesystem::copy(original, directory_);
    TensorFile file = read_safetensors(original / "case.safetensors");
    change(file);
    write_safetensors(directory_ / "case.safetensors", file);
  }
  ~ChangedCase() { std::filesystem::remove_all(directory_); }
  const std::filesystem::path& path() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

}  // namespace dsf::testing
