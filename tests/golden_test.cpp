// The golden cases, recomputed by what dsf_check runs: those in tests/data always, the larger ones
// beside the checkout when they are there.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <functional>

#include "engine/check/quantity.h"
#include "engine/files/safetensors.h"
#include "kernels/common/checks.h"
#include "tests/model_classes.h"
#include "tests/worst.h"

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
    if (quantity.limit > 0) most_used = testing::worse(most_used, quantity.error / quantity.limit);
  }
  std::printf("    %s: %zu quantities, at most %.0f %% of a limit used\n",
              directory.filename().c_str(), checked, 100 * most_used);
  EXPECT_GE(checked, at_least) << directory;
}

/// checkpoint.pth, logits, loss, losses, two of generation; 30 gradients of two layers at least.
constexpr size_t kTransformerQuantities = 36;

/// Of encoding three, latents, the output of three stages, sound.
constexpr size_t kPaddedCodecQuantities = 8;
constexpr size_t kChunkedCodecQuantities = 2;

fs::path transformer_case(const std::string& name) {
  return fs::path(DSF_SOURCE_DIR) / "tests/data/transformer" / name;
}

TEST(Golden, TransformerCasesOfThisRepository) {
  for (const ModelClass model_class : upstream_classes()) {
    expect_within_limits(transformer_case(fmt::format("{}_tiny", variant_name(model_class))),
                         kTransformerQuantities);
  }
}

TEST(Golden, CodecCasesOfThisRepository) {
  const fs::path cases = fs::path(DSF_SOURCE_DIR) / "tests/data/dac";
  expect_within_limits(cases / "tiny", kPaddedCodecQuantities);
  expect_within_limits(cases / "tiny_chunked", kChunkedCodecQuantities);
}

TEST(Golden, CasesBesideTheCheckout) {
  const fs::path golden = fs::path(DSF_SOURCE_DIR) / "../shared/golden";
  if (!fs::is_directory(golden)) GTEST_SKIP() << "SKIPPED: no " << golden;
  for (const ModelClass model_class : upstream_classes()) {
    for (const char* size : {"tiny", "small", "odd"}) {
      const std::string name = fmt::format("{}_{}", variant_name(model_class), size);
      expect_within_limits(golden / "transformer" / name, kTransformerQuantities);
    }
  }
  for (const char* name : {"tiny", "tiny44k", "oddrates"}) {
    expect_within_limits(golden / "dac" / name, kPaddedCodecQuantities);
  }
  expect_within_limits(golden / "dac" / "tiny_chunked", kChunkedCodecQuantities);
}

/// A copy of a case of this repository with something changed.
class ChangedCase {
 public:
  ChangedCase(const std::string& name, const std::function<void(TensorFile&)>& change)
      : directory_(fs::path(::testing::TempDir()) /
                   ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::create_directories(directory_);
    const fs::path original = transformer_case(name);
    fs::copy_file(original / "checkpoint.pth", directory_ / "checkpoint.pth",
                  fs::copy_options::overwrite_existing);
    TensorFile file = read_safetensors(original / "case.safetensors");
    change(file);
    write_safetensors(directory_ / "case.safetensors", file);
  }
  ~ChangedCase() { fs::remove_all(directory_); }
  const fs::path& path() const { return directory_; }

 private:
  fs::path directory_;
};

std::string usage_error_of(const fs::path& directory) {
  try {
    check_case(Context{}, directory);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST(Golden, AnUnknownClassIsSaidToBeUnsupported) {
  const ChangedCase later("rope_film_tiny",
                          [](TensorFile& file) { file.metadata["variant"] = "mamba"; });
  const std::vector<Quantity> quantities = check_case(Context{}, later.path());
  EXPECT_FALSE(quantities.empty());
  for (const Quantity& quantity : quantities) EXPECT_FALSE(quantity.checked()) << quantity.name;
}

TEST(Golden, WithoutAVariantTheWeightsTellTheClass) {
  const ChangedCase unnamed("rope_adaln_tiny",
                            [](TensorFile& file) { file.metadata.erase("variant"); });
  expect_within_limits(unnamed.path(), kTransformerQuantities);
}

TEST(Golden, AVariantThatTheWeightsContradictIsRefused) {
  const ChangedCase other("rope_film_tiny",
                          [](TensorFile& file) { file.metadata["variant"] = "rope_adaln"; });
  const std::string message = usage_error_of(other.path());
  EXPECT_NE(message.find("'rope_adaln', but the weights are rope_film"), std::string::npos)
      << message;
}

TEST(Golden, ADamagedCaseIsAUsageError) {
  const ChangedCase damaged("rope_concat_tiny", [](TensorFile&) {});
  fs::resize_file(damaged.path() / "case.safetensors", 5000);
  EXPECT_NE(usage_error_of(damaged.path()).find("case.safetensors"), std::string::npos);
}

TEST(Golden, UnusableDirectoriesAreUsageErrors) {
  EXPECT_THROW(check_case(Context{}, fs::path(DSF_SOURCE_DIR) / "absent"), UsageError);
  EXPECT_THROW(check_case(Context{}, fs::path(DSF_SOURCE_DIR) / "tests"), UsageError);
}

}  // namespace
}  // namespace dsf
