// The optional keys of how a run learns.
#include <gtest/gtest.h>

#include <fstream>

#include "engine/config/training_config.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr const char* kUpstream = DSF_SOURCE_DIR "/tests/data/params_med_upstream.yaml";

TrainingConfig read(const std::vector<std::string>& overrides) {
  return read_training_config(kUpstream, overrides,
                              [](const std::string& text) { ADD_FAILURE() << text; });
}

std::string error_of(const std::vector<std::string>& overrides) {
  try {
    read(overrides);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no UsageError";
}

TEST(LearningConfigTest, IsUpstreamsByDefault) {
  EXPECT_EQ(read({}).learning, LearningConfig{});
  EXPECT_EQ(read({"weight_decay=null", "early_stop_epochs=0"}).learning, LearningConfig{});
}

TEST(LearningConfigTest, ReadsEveryKey) {
  LearningConfig expected;
  expected.weight_decay = 0.01F;
  expected.warmup_steps = 500;
  expected.schedule = LearningRateSchedule::cosine;
  expected.min_learning_rate = 1e-5F;
  expected.gradient_clip_norm = 1.0F;
  expected.accumulate_batches = 4;
  expected.early_stop_epochs = 30;
  const TrainingConfig config =
      read({"weight_decay=0.01", "warmup_steps=500", "lr_schedule=cosine", "min_learning_rate=1e-5",
            "gradient_clip_norm=1", "accumulate_batches=4", "early_stop_epochs=30"});
  EXPECT_EQ(config.learning, expected);
  EXPECT_EQ(read({"lr_schedule=constant"}).learning, LearningConfig{});
}

TEST(LearningConfigTest, EveryBadValueIsNamed) {
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {"weight_decay=-0.1", "a number from 0"},
      {"weight_decay=nan", "a number from 0"},
      {"weight_decay=inf", "a number from 0"},
      {"weight_decay=much", "a number from 0"},
      {"warmup_steps=-1", "a whole number from 0 to 1000000000"},
      {"warmup_steps=1.5", "a whole number from 0 to 1000000000"},
      {"warmup_steps=nan", "a whole number from 0 to 1000000000"},
      {"warmup_steps=some", "a whole number from 0 to 1000000000"},
      {"lr_schedule=linear", "constant or cosine"},
      {"lr_schedule=-1", "constant or cosine"},
      {"lr_schedule=nan", "constant or cosine"},
      {"gradient_clip_norm=0", "a number above 0"},
      {"gradient_clip_norm=-1", "a number above 0"},
      {"gradient_clip_norm=nan", "a number above 0"},
      {"gradient_clip_norm=short", "a number above 0"},
      {"accumulate_batches=0", "a whole number from 1 to 1000000"},
      {"accumulate_batches=-2", "a whole number from 1 to 1000000"},
      {"accumulate_batches=nan", "a whole number from 1 to 1000000"},
      {"accumulate_batches=two", "a whole number from 1 to 1000000"},
      {"early_stop_epochs=-1", "a whole number from 0 to 1000000000"},
      {"early_stop_epochs=nan", "a whole number from 0 to 1000000000"},
      {"early_stop_epochs=soon", "a whole number from 0 to 1000000000"},
      {"min_learning_rate=1e-5", "no value without lr_schedule: cosine, which ends there"},
  };
  for (const auto& [setting, expected] : mistakes) {
    const size_t equals = setting.find('=');
    EXPECT_EQ(error_of({setting}),
              fmt::format("--set {}: {} is '{}', expected {}", setting, setting.substr(0, equals),
                          setting.substr(equals + 1), expected));
  }
  for (const std::string value : {"-1e-9", "nan", "0.0006", "small"}) {
    EXPECT_EQ(error_of({"lr_schedule=cosine", "min_learning_rate=" + value}),
              fmt::format("--set min_learning_rate={0}: min_learning_rate is '{0}', expected a "
                          "number from 0 to learning_rate = 0.0005",
                          value));
  }
  EXPECT_EQ(error_of({"early_stop_epochs=3", "validator_data_dir=null"}),
            "--set early_stop_epochs=3: early_stop_epochs is '3', expected 0 without validation "
            "data (validator_data_dir)");
  EXPECT_NE(error_of({"warmup_step=5"}).find("did you mean warmup_steps?"), std::string::npos);
}

TEST(LearningConfigTest, ABadValueInAFileIsNamedWithFileAndLine) {
  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) / "dsf_learning_config.yaml";
  std::filesystem::copy_file(kUpstream, file, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  std::ofstream(file, std::ios::app) << "weight_decay: [0.1]\n";
  try {
    read_training_config(file, {}, [](const std::string&) {});
    ADD_FAILURE() << "no UsageError";
  } catch (const UsageError& error) {
    EXPECT_EQ(error.what(),
              file.string() + ":23: weight_decay is a list, expected a number from 0");
  }
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace dsf
