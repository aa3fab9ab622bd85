// The golden cases, recomputed by what dsf_check runs: those in tests/data always, the larger ones
// beside the checkout when they are there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "engine/check/quantity.h"
#include "engine/files/safetensors.h"
#include "kernels/common/checks.h"
#include "tests/changed_case.h"
#include "tests/model_classes.h"
#include "tests/without_bf16.h"
#include "tests/worst.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

void expect_within_limits(const fs::path& directory, size_t at_least, const Context& ctx = {}) {
  size_t checked = 0;
  double most_used = 0;
  for (const Quantity& quantity : check_case(ctx, directory)) {
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

fs::path codec_case(const std::string& name) {
  return fs::path(DSF_SOURCE_DIR) / "tests/data/dac" / name;
}

TEST(Golden, TransformerCasesOfThisRepository) {
  for (const ModelClass model_class : upstream_classes()) {
    expect_within_limits(transformer_case(fmt::format("{}_tiny", variant_name(model_class))),
                         kTransformerQuantities);
  }
}

/// checkpoint.pth, logits, loss, all gradients as one vector: what else there is can be anywhere.
constexpr size_t kRoundedQuantities = 4;

TEST(Golden, TransformerCasesInBf16) {
  if (!onednn::has_bf16()) GTEST_SKIP() << testing::kWithoutBf16;
  for (const ModelClass model_class : upstream_classes()) {
    expect_within_limits(transformer_case(fmt::format("{}_tiny", variant_name(model_class))),
                         kRoundedQuantities, make_context("cpu", "bf16"));
  }
}

TEST(Golden, CodecCasesOfThisRepository) {
  expect_within_limits(codec_case("tiny"), kPaddedCodecQuantities);
  expect_within_limits(codec_case("tiny_chunked"), kChunkedCodecQuantities);
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

std::string usage_error_of(const fs::path& directory) {
  try {
    check_case(Context{}, directory);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

/// Upstream's weights after three steps, from tests/data/adam3: the cases' own are those before.
void take_upstreams_adam3(const std::string& name, TensorFile& file) {
  const TensorFile moved =
      read_safetensors(fs::path(DSF_SOURCE_DIR) / "tests/data/adam3" / (name + ".safetensors"));
  for (const auto& [tensor_name, tensor] : moved.tensors) file.tensors.at(tensor_name) = tensor;
}

std::vector<std::string> above_limits(const fs::path& directory) {
  std::vector<std::string> names;
  for (const Quantity& quantity : check_case(Context{}, directory)) {
    if (quantity.checked() && !quantity.within()) names.push_back(quantity.name);
  }
  return names;
}

TEST(Golden, WeightsAfterThreeAdamStepsAreUpstreams) {
  for (const ModelClass model_class : upstream_classes()) {
    const std::string name = fmt::format("{}_tiny", variant_name(model_class));
    const testing::ChangedCase golden(transformer_case(name),
                                      [&](TensorFile& file) { take_upstreams_adam3(name, file); });
    size_t weights = 0;
    double worst = 0;
    for (const Quantity& quantity : check_case(Context{}, golden.path())) {
      if (!quantity.name.starts_with("adam3/")) continue;
      EXPECT_TRUE(quantity.checked()) << name << ' ' << quantity.name;
      EXPECT_TRUE(quantity.within()) << name << ' ' << quantity.name << ": " << quantity.error;
      worst = testing::worse(worst, quantity.error);
      ++weights;
    }
    std::printf("    %s: %zu tensors, at most %.1e learning rates apart\n", name.c_str(), weights,
                worst);
    EXPECT_GE(weights, 34U) << name;
  }
}

/// One value of one tensor changed by little more than its limit: that quantity is above, no other.
TEST(Golden, AWrongQuantityIsAboveItsLimit) {
  struct Change {
    std::string tensor, quantity;
    float relative;  // of the tensor's norm
  };
  const std::string weight = "layers.1.feed_forward.2.weight";
  for (const Change& change : std::vector<Change>{{"logits", "logits", 2e-5F},
                                                  {"loss", "loss", 3e-6F},
                                                  {"losses", "losses", 3e-5F},
                                                  {"grad/" + weight, "grad/" + weight, 3e-4F},
                                                  {"gen/logits", "gen/logits", 2e-5F}}) {
    const testing::ChangedCase changed(transformer_case("rope_concat_tiny"), [&](TensorFile& file) {
      std::vector<float> values = to_floats(file.tensors.at(change.tensor));
      values.front() += change.relative * static_cast<float>(norm(values));
      StoredTensor& tensor = file.tensors.at(change.tensor);
      tensor = from_floats(tensor.shape, values);
    });
    EXPECT_EQ(above_limits(changed.path()), std::vector<std::string>{change.quantity});
  }
}

TEST(Golden, AWrongWeightAfterThreeStepsIsAboveItsLimit) {
  const std::string name = "adam3/layers.0.feed_forward.0.bias";
  const testing::ChangedCase changed(transformer_case("rope_concat_tiny"), [&](TensorFile& file) {
    take_upstreams_adam3("rope_concat_tiny", file);
    const std::vector<float> gradients =
        to_floats(file.tensors.at("grad/layers.0.feed_forward.0.bias"));
    const auto largest =
        std::ranges::max_element(gradients, {}, [](float gradient) { return std::abs(gradient); });
    std::vector<float> values = to_floats(file.tensors.at(name));
    values[static_cast<size_t>(largest - gradients.begin())] += 0.03F * 5e-4F;
    StoredTensor& tensor = file.tensors.at(name);
    tensor = from_floats(tensor.shape, values);
  });
  EXPECT_EQ(above_limits(changed.path()), std::vector<std::string>{name});
}

TEST(Golden, AWrongCodecQuantityIsAboveItsLimit) {
  for (const auto& [name, quantity] : {std::pair{"tiny", "decode/audio"},
                                       {"tiny", "encode/codes"},
                                       {"tiny_chunked", "chunked/decoded"}}) {
    const testing::ChangedCase changed(codec_case(name), [&](TensorFile& file) {
      StoredTensor& tensor = file.tensors.at(quantity);
      if (tensor.dtype == DType::f32) {
        std::vector<float> values = to_floats(tensor);
        values.front() += 3e-5F * static_cast<float>(norm(values));
        tensor = from_floats(tensor.shape, values);
      } else {
        tensor.bytes.front() ^= std::byte{1};
      }
    });
    EXPECT_EQ(above_limits(changed.path()), std::vector<std::string>{quantity});
  }
}

TEST(Golden, OneOtherTokenIsAboveItsLimit) {
  const testing::ChangedCase changed(transformer_case("rope_concat_tiny"), [](TensorFile& file) {
    StoredTensor& tensor = file.tensors.at("gen/tokens");
    tensor.bytes.front() ^= std::byte{1};
  });
  EXPECT_EQ(above_limits(changed.path()), std::vector<std::string>{"gen/tokens"});
}

TEST(Golden, AnUnknownClassIsSaidToBeUnsupported) {
  const testing::ChangedCase later(transformer_case("rope_film_tiny"),
                                   [](TensorFile& file) { file.metadata["variant"] = "mamba"; });
  const std::vector<Quantity> quantities = check_case(Context{}, later.path());
  EXPECT_FALSE(quantities.empty());
  for (const Quantity& quantity : quantities) EXPECT_FALSE(quantity.checked()) << quantity.name;
}

TEST(Golden, WithoutAVariantTheWeightsTellTheClass) {
  const testing::ChangedCase unnamed(transformer_case("rope_adaln_tiny"),
                                     [](TensorFile& file) { file.metadata.erase("variant"); });
  expect_within_limits(unnamed.path(), kTransformerQuantities);
}

TEST(Golden, AVariantThatTheWeightsContradictIsRefused) {
  const testing::ChangedCase other(transformer_case("rope_film_tiny"), [](TensorFile& file) {
    file.metadata["variant"] = "rope_adaln";
  });
  const std::string message = usage_error_of(other.path());
  EXPECT_NE(message.find("'rope_adaln', but the weights are rope_film"), std::string::npos)
      << message;
}

TEST(Golden, ADamagedCaseIsAUsageError) {
  const testing::ChangedCase damaged(transformer_case("rope_concat_tiny"), [](TensorFile&) {});
  fs::resize_file(damaged.path() / "case.safetensors", 5000);
  EXPECT_NE(usage_error_of(damaged.path()).find("case.safetensors"), std::string::npos);
}

TEST(Golden, OfACodecCaseTheWindowIsReadAsWholeSamples) {
  const auto refused = [](const char* key, const char* text) {
    const testing::ChangedCase changed(codec_case("tiny_chunked"),
                                       [&](TensorFile& file) { file.metadata[key] = text; });
    EXPECT_NE(usage_error_of(changed.path()), "no UsageError") << key << " = '" << text << "'";
  };
  for (const char* key : {"window_samples", "chunk_length"}) {
    for (const char* text : {"nan", "1e300", "-5", "0", "37.5", ""}) refused(key, text);
  }
  refused("window_samples", "88201");  // of 88,200
  refused("window_samples", "9223372036854775807");
}

TEST(Golden, UnusableDirectoriesAreUsageErrors) {
  EXPECT_THROW(check_case(Context{}, fs::path(DSF_SOURCE_DIR) / "absent"), UsageError);
  EXPECT_THROW(check_case(Context{}, fs::path(DSF_SOURCE_DIR) / "tests"), UsageError);
}

}  // namespace
}  // namespace dsf
