// The golden cases, recomputed by what dsf_check runs: those in tests/data always, the larger ones
// beside the checkout when they are there.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "engine/check/quantity.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

void expect_within_limits(const fs::path& directory, size_t at_least) {
  size_t checked = 0;
  double most_used = 0;
  for (const Quantity& quantity : check_case(Context{}, directory)) {
    if (!quantity.checked()) continue;
    ++checked;
    EXPECT_TRUE(quantity.within()) << directory << ' ' << quantity.name << ": " << quantity.error
                                   << " above " << quantity.limit;
    if (quantity.limit > 0) most_used = std::max(most_used, quantity.error / quantity.limit);
  }
  std::printf("    %s: %zu quantities, at most %.0f %% of a limit used\n",
              directory.filename().c_str(), checked, 100 * most_used);
  EXPECT_GE(checked, at_least) << directory;
}

TEST(Golden, TransformerCaseOfThisRepository) {
  expect_within_limits(fs::path(DSF_SOURCE_DIR) / "tests/data/transformer/rope_concat_tiny", 36);
}

TEST(Golden, CodecCasesOfThisRepository) {
  for (const char* name : {"tiny", "tiny_chunked"}) {
    expect_within_limits(fs::path(DSF_SOURCE_DIR) / "tests/data/dac" / name, 1);
  }
}

TEST(Golden, CasesBesideTheCheckout) {
  const fs::path golden = fs::path(DSF_SOURCE_DIR) / "../shared/golden";
  if (!fs::is_directory(golden)) GTEST_SKIP() << "SKIPPED: no " << golden;
  for (const char* name : {"rope_concat_tiny", "rope_concat_small", "rope_concat_odd"}) {
    expect_within_limits(golden / "transformer" / name, 36);
  }
  for (const char* name : {"tiny", "tiny44k", "oddrates", "tiny_chunked"}) {
    expect_within_limits(golden / "dac" / name, 1);
  }
}

TEST(Golden, ClassesThatComeLaterAreSaidToBeUnsupported) {
  const fs::path later = fs::path(DSF_SOURCE_DIR) / "../shared/golden/transformer/rope_film_tiny";
  if (!fs::is_directory(later)) GTEST_SKIP() << "SKIPPED: no " << later;
  const std::vector<Quantity> quantities = check_case(Context{}, later);
  EXPECT_FALSE(quantities.empty());
  for (const Quantity& quantity : quantities) EXPECT_FALSE(quantity.checked()) << quantity.name;
}

TEST(Golden, UnusableDirectoriesAreUsageErrors) {
  EXPECT_THROW(check_case(Context{}, fs::path(DSF_SOURCE_DIR) / "absent"), UsageError);
  EXPECT_THROW(check_case(Context{}, fs::path(DSF_SOURCE_DIR) / "tests"), UsageError);
}

}  // namespace
}  // namespace dsf
