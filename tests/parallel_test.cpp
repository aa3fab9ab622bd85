#include "kernels/common/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "kernels/common/checks.h"
#include "tests/expect_error.h"

namespace dsf {
namespace {

TEST(ParallelFor, VisitsEveryIndexOnce) {
  for (const int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
    });
    for (const auto& each : visits) EXPECT_EQ(each, 1);
  }
}

TEST(ParallelFor, ThrowsOnWhatItsRangesThrow) {
  const int before = num_threads();
  for (const int threads : {1, 4}) {
    set_num_threads(threads);
    testing::expect_error<Error>(
        [] {
          parallel_for(100, 1, [](int64_t, int64_t end) {
            if (end == 100) fail("range that ends at {}", end);
          });
        },
        {"range that ends at 100"});
  }
  set_num_threads(before);
}

}  // namespace
}  // namespace dsf
