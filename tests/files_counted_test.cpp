#include "engine/files/counted.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace dsf {
namespace {

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(0, "file"), "0 files");
  EXPECT_EQ(counted(int64_t{1}, "training file"), "1 training file");
  EXPECT_EQ(counted(size_t{2}, ".dac file"), "2 .dac files");
}

}  // namespace
}  // namespace dsf
