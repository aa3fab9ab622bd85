// Checkpoints: what is written is read back, and what does not fit is refused by name.
#include "engine/training/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/files/safetensors.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"
#include "tests/files_support.h"
#include "tests/model_classes.h"
#include "tests/small_model.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::stored_model;

CheckpointInfo small_info(ModelClass model_class = ModelClass::streaming) {
  return {stored_model(model_class), {"rain", "a \"quoted\", name", "Bäche"}, {"heat"}, 12, 34,
          0xFEDC'BA98'7654'3210};
}

/// A learner that has taken `steps` steps on random frames.
std::unique_ptr<Learner> trained(const ModelConfig& config, int steps, uint64_t seed = 3) {
  auto learner = std::make_unique<Learner>(config, 2, 1e-2F, seed);
  testing::train_on_noise(*learner, steps, seed);
  return learner;
}

std::vector<float> values(ConstTensor tensor) {
  return {tensor.data, tensor.data + tensor.size()};
}

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::temp_directory_path() /
                 fmt::format("dsf_checkpoint_{}_{}", test->name(), static_cast<int>(getpid()));
    fs::create_directories(directory_);
    path_ = directory_ / "x.safetensors";
    write_checkpoint(path_, *trained(stored_model(), 1), small_info());
    whole_ = read_safetensors(path_);
    fs::remove(path_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  /// Writes a whole checkpoint, changed by `change`.
  template <class Change>
  void write_changed(const Change& change) const {
    TensorFile file = whole_;
    change(file);
    write_safetensors(path_, file);
  }
  /// Reading the model, and resuming, fail with this.
  void expect_unreadable(const std::vector<std::string>& parts) const {
    expect_error<Error>([&] { read_model(path_); }, parts);
    expect_error<Error>([&] { resume(path_, small_info(), *trained(stored_model(), 0)); }, parts);
    expect_error<Error>([&] { read_model(path_); }, {path_.string()});
  }

  fs::path directory_, path_;
  TensorFile whole_;  // what a checkpoint of stored_model() holds
};

class CheckpointOfEveryClass : public CheckpointTest,
                               public ::testing::WithParamInterface<ModelClass> {};

TEST_P(CheckpointOfEveryClass, IsReadBackAsItWas) {
  const CheckpointInfo info = small_info(GetParam());
  const auto learner = trained(info.config, 3);
  write_checkpoint(path_, *learner, info);

  const TrainedModel model = read_model(path_);
  EXPECT_EQ(model.info.config, info.config);
  EXPECT_EQ(model.info.class_names, info.class_names);
  EXPECT_EQ(model.info.parameter_names, info.parameter_names);
  EXPECT_EQ(model.info.epoch, info.epoch);
  EXPECT_EQ(model.info.step, info.step);
  EXPECT_EQ(model.info.seed, info.seed);
  EXPECT_EQ(model.weights, values(learner->model().weights()));

  const auto resumed = trained(info.config, 0, 4);
  const CheckpointInfo said = resume(path_, info, *resumed);
  EXPECT_EQ(said.epoch, 12);
  EXPECT_EQ(resumed->step(), 34);
  EXPECT_EQ(values(resumed->model().weights()), values(learner->model().weights()));
  EXPECT_EQ(values(resumed->first_moments()), values(learner->first_moments()));
  EXPECT_EQ(values(resumed->second_moments()), values(learner->second_moments()));
}

INSTANTIATE_TEST_SUITE_P(Classes, CheckpointOfEveryClass, ::testing::ValuesIn(kModelClasses),
                         class_test_name);

TEST_F(CheckpointTest, ADelayIsReadBackAndOldFilesHaveNone) {
  CheckpointInfo info = small_info();
  info.config.codebook_delay = 1;
  write_checkpoint(path_, *trained(info.config, 1), info);
  EXPECT_EQ(read_model(path_).info.config, info.config);
  write_changed([](TensorFile& file) { file.metadata.erase("codebook_delay"); });
  EXPECT_EQ(read_model(path_).info.config.codebook_delay, 0);
}

TEST_F(CheckpointTest, HowCodesAreDrawnIsReadBackAndOldFilesHaveUpstreams) {
  CheckpointInfo info = small_info();
  write_checkpoint(path_, *trained(info.config, 1), info);
  EXPECT_EQ(read_model(path_).info.sampling, (SampleSettings{100, 1, 0}));
  EXPECT_FALSE(read_safetensors(path_).metadata.contains("top_n"));
  info.sampling = {1024, 0.875F, 0.1F};
  write_checkpoint(path_, *trained(info.config, 1), info);
  EXPECT_EQ(read_model(path_).info.sampling, info.sampling);
  write_checkpoint(path_, *trained(info.config, 1), small_info());
  EXPECT_EQ(resume(path_, info, *trained(info.config, 0)).sampling, info.sampling)
      << "a run may change its mind";
  for (const auto& [key, value] :
       {std::pair{"top_n", "0"}, std::pair{"top_n", "65537"}, std::pair{"temperature", "0"},
        std::pair{"temperature", "-1"}, std::pair{"temperature", "inf"}, std::pair{"min_p", "-0.1"},
        std::pair{"min_p", "1.5"}, std::pair{"min_p", "nan"}, std::pair{"top_n", "many"}}) {
    write_changed([&](TensorFile& file) { file.metadata[key] = value; });
    expect_unreadable({key, "__metadata__"});
  }
}

TEST_F(CheckpointTest, TheSameStateGivesTheSameBytes) {
  write_checkpoint(path_, *trained(stored_model(), 2), small_info());
  const fs::path again = directory_ / "again.safetensors";
  write_checkpoint(again, *trained(stored_model(), 2), small_info());
  EXPECT_TRUE(files_test::bytes_of(path_) == files_test::bytes_of(again));
}

TEST_F(CheckpointTest, MissingTensorsAreNamed) {
  for (const ParameterTable table(stored_model()); const Parameter& parameter : table.entries()) {
    write_changed([&](TensorFile& file) { file.tensors.erase(parameter.name); });
    expect_unreadable({"'" + parameter.name + "'"});
    for (const char* moments : {"adam.first/", "adam.second/"}) {
      write_changed([&](TensorFile& file) { file.tensors.erase(moments + parameter.name); });
      EXPECT_NO_THROW(read_model(path_));  // to generate, no moments are needed
      expect_error<Error>([&] { resume(path_, small_info(), *trained(stored_model(), 0)); },
                          {path_.string(), moments + parameter.name});
    }
  }
}

TEST_F(CheckpointTest, ATensorTooManyIsNamed) {
  write_changed([&](TensorFile& file) {
    file.tensors["layers.9.attention.in_proj_bias"] = from_floats({1}, std::vector{0.5F});
  });
  expect_unreadable({"'layers.9.attention.in_proj_bias'"});
}

TEST_F(CheckpointTest, WrongShapesAreNamed) {
  for (const ParameterTable table(stored_model()); const Parameter& parameter : table.entries()) {
    write_changed([&](TensorFile& file) {
      StoredTensor& tensor = file.tensors.at(parameter.name);
      tensor.shape.push_back(1);
    });
    expect_unreadable({"'" + parameter.name + "'", parameter.shape.str(), ", 1]"});
  }
}

TEST_F(CheckpointTest, MissingMetadataIsNamed) {
  EXPECT_GE(whole_.metadata.size(), 15U);
  for (const auto& [key, value] : whole_.metadata) {
    if (key == "codebook_delay") continue;  // of which old files have none
    write_changed([&, name = key](TensorFile& file) { file.metadata.erase(name); });
    expect_unreadable({"'" + key + "'", "__metadata__"});
  }
  write_changed([](TensorFile& file) { file.metadata.clear(); });
  expect_unreadable({"__metadata__"});
}

TEST_F(CheckpointTest, GarbageInMetadataIsNamed) {
  for (const char* key : {"embed_size", "num_layers", "num_heads", "forward_expansion", "Ti", "Tt",
                          "num_codebooks", "vocab_size", "dropout", "epoch", "step", "seed"}) {
    for (const char* garbage : {"", "many", "12x", " 24", "99999999999999999999999999"}) {
      write_changed([&](TensorFile& file) { file.metadata[key] = garbage; });
      if (std::string_view(key) == "dropout" && garbage[0] == '9') continue;  // a float holds it
      expect_unreadable({key, "'" + std::string(garbage) + "'"});
    }
  }
  for (const char* key : {"class_names", "parameter_names"}) {
    for (const char* garbage : {"", "rain", "{\"a\": 1}", "[1, 2]", "[\"rain\"", "null"}) {
      write_changed([&](TensorFile& file) { file.metadata[key] = garbage; });
      expect_unreadable({key, garbage});
    }
  }
  write_changed([](TensorFile& file) { file.metadata["format"] = "other-1"; });
  expect_unreadable({"format 'other-1'", "dsf-checkpoint-1"});
}

TEST_F(CheckpointTest, LongHostileMetadataIsNotParsedNorPrintedWhole) {
  const auto expect_short_error = [&](const std::vector<std::string>& parts) {
    expect_unreadable(parts);
    try {
      read_model(path_);
    } catch (const Error& error) {
      EXPECT_LT(std::string_view(error.what()).size(), path_.string().size() + 500);
    }
  };
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  for (const char* key : {"class_names", "parameter_names"}) {
    for (const size_t depth : {size_t{1'000'000}, size_t{3'000'000}}) {
      write_changed([&](TensorFile& file) { file.metadata[key] = nested(depth); });
      expect_short_error({key, "'[[[[", "…'", "expected "});
    }
    std::string many = "[\"\"";
    for (int i = 0; i < 1'000'000; ++i) many += ",\"\"";
    write_changed([&](TensorFile& file) { file.metadata[key] = many + "]"; });
    expect_short_error({key, "expected a list of names"});
  }
  for (const auto& [key, value] : whole_.metadata) {
    write_changed(
        [&, name = key](TensorFile& file) { file.metadata[name].assign(5'000'000, 'x'); });
    expect_short_error({"'" + key + "'", "'xxx", "…'", "5000000 bytes", "expected at most"});
  }
  const std::string tensor = "x" + std::string(1'000'000, '\n');
  write_changed(
      [&](TensorFile& file) { file.tensors[tensor] = from_floats({1}, std::vector{0.5F}); });
  expect_short_error({"tensor 'x\\x0a\\x0a"});
}

TEST_F(CheckpointTest, LongListsOfNamesAreCutInMessages) {
  CheckpointInfo info = small_info();
  info.class_names[0].assign(1'000'000, 'r');
  const auto learner = trained(stored_model(), 1);
  write_checkpoint(path_, *learner, info);
  EXPECT_EQ(read_model(path_).info.class_names, info.class_names);
  try {
    resume(path_, small_info(), *learner);
    ADD_FAILURE() << "no error";
  } catch (const UsageError& error) {
    EXPECT_LT(std::string_view(error.what()).size(), 4000U);
    EXPECT_NE(std::string_view(error.what()).find("rrr"), std::string_view::npos);
  }
  EXPECT_LT(start_from(path_, small_info(), learner.get()).size(), 4000U);
}

TEST_F(CheckpointTest, SizesThatCannotBeAreRefusedBeforeAnythingIsAllocated) {
  struct Size {
    const char *key, *value, *said;
  };
  const Size sizes[] = {
      {"embed_size", "0", "the embedding size is 0, it must be at least 1"},
      {"embed_size", "-24", "the embedding size is -24, it must be at least 1"},
      {"embed_size", "25", "the embedding size 25 is not divisible by num_heads 2"},
      {"num_heads", "5", "the embedding size 24 is not divisible by num_heads 5"},
      {"num_layers", "0", "num_layers is 0, it must be at least 1"},
      {"Ti", "0", "Ti is 0, it must be at least 1"},
      {"Tt", "-1", "Tt is -1, it must be at least 1"},
      {"num_codebooks", "7", "the embedding size 24 is not divisible by num_tokens 7"},
      {"vocab_size", "0", "vocab_size is 0, it must be at least 1"},
      {"forward_expansion", "0", "forward_expansion is 0, it must be at least 1"},
      {"dropout", "1", "dropout_rate is 1, it must be in [0, 1)"},
      {"dropout", "nan", "dropout_rate is nan, it must be in [0, 1)"},
      {"embed_size", "4611686018427387904",
       "the embedding size is 4611686018427387904, which is not credible"},
      {"num_layers", "4611686018427387904",
       "num_layers is 4611686018427387904, which is not credible"},
      {"num_layers", "1000000", "its sizes mean more than 2880000960 weights"},
      {"embed_size", "1000000", "its sizes mean more than 10000040000000 weights"},
      {"codebook_delay", "-1", "codebook_delay is -1, it must be 0 or 1"},
      {"vocab_size", "65537", "vocab_size is 65537, it must be at most 65536"},
      {"forward_expansion", "1000000", "its sizes mean more than 2304002112 weights"},
      {"vocab_size", "9223372036854775807",
       "vocab_size is 9223372036854775807, which is not credible"},
      {"forward_expansion", "9223372036854775807",
       "forward_expansion is 9223372036854775807, which is not credible"}};
  for (const auto& [key, value, said] : sizes) {
    SCOPED_TRACE(fmt::format("{} {}", key, value));
    write_changed([&, k = key, v = value](TensorFile& file) { file.metadata[k] = v; });
    expect_unreadable({said});
  }
}

TEST_F(CheckpointTest, AnotherClassIsRefused) {
  write_changed([](TensorFile& file) { file.metadata["transformer_class"] = "Perceptron"; });
  expect_unreadable({"Perceptron", "StreamingDACTransformer"});
  // A class that is known but is not that of the tensors.
  write_changed([](TensorFile& file) {
    file.metadata["transformer_class"] = model_class_name(ModelClass::rope_concat);
  });
  expect_error<Error>([&] { read_model(path_); }, {path_.string(), "tensor"});
}

TEST_F(CheckpointTest, ResumingAnotherRunIsAUsageErrorThatSaysWhatDiffers) {
  write_checkpoint(path_, *trained(stored_model(), 1), small_info());
  const auto expect_refusal = [&](const CheckpointInfo& run,
                                  const std::vector<std::string>& parts) {
    const auto learner = trained(run.config, 0);
    const std::vector<float> before = values(learner->model().weights());
    expect_error<UsageError>([&] { resume(path_, run, *learner); }, parts);
    EXPECT_EQ(values(learner->model().weights()), before) << "a partial result";
  };
  CheckpointInfo run = small_info();
  run.seed = 7;
  expect_refusal(run, {path_.string(), "seed", "18364758544493064720", "7"});
  run = small_info();
  run.config.embed_size = 32;
  expect_refusal(run, {"embed_size", "24", "32"});
  run = small_info();
  run.config.lookback = 4;
  expect_refusal(run, {"Ti", "5", "4"});
  run = small_info();
  run.config.codebook_delay = 1;
  expect_refusal(run, {"codebook_delay is 0 there and 1"});
  run = small_info();
  run.config.dropout = 0.25F;
  expect_refusal(run, {"dropout", "0.125", "0.25"});
  run = small_info(ModelClass::rope_concat);
  expect_refusal(run, {"transformer_class", "StreamingDACTransformer", "RopeCondDACTransformer"});
  run = small_info();
  run.class_names[0] = "hail";
  expect_refusal(run, {"class_names", "rain", "hail"});
  run = small_info();
  run.parameter_names = {"force"};
  expect_refusal(run, {"parameter_names", "heat", "force"});
  run = small_info();
  run.epoch = run.step = 0;  // where the checkpoint was is no difference
  EXPECT_NO_THROW(resume(path_, run, *trained(run.config, 0)));
}

TEST_F(CheckpointTest, FilesThatAreNoneAreRefused) {
  expect_unreadable({});  // absent
  std::ofstream(path_).close();
  expect_unreadable({});
  std::ofstream(path_) << "not a checkpoint, but long enough to hold a header's length";
  expect_unreadable({});
  expect_error<Error>([&] { read_model(directory_ / "absent.pth"); }, {"absent.pth"});
}

// ---- Names

TEST_F(CheckpointTest, NamesAreUpstreams) {
  EXPECT_EQ(checkpoint_name(stored_model(), 7), "out.e24.l2.h2_chkpt_0007.safetensors");
  EXPECT_EQ(checkpoint_name(stored_model(), 12345), "out.e24.l2.h2_chkpt_12345.safetensors");
}

TEST_F(CheckpointTest, TheLatestIsFoundAmongJunk) {
  EXPECT_EQ(latest_checkpoint(directory_), fs::path());
  for (const char* junk :
       {"_chkpt_.safetensors", "out_chkpt_12x.safetensors", "out_chkpt_-5.safetensors",
        "out_chkpt_ 9.safetensors", "out_chkpt_99999999999999999999.safetensors",
        "out_chkpt_0900.pth", "out_chkpt_0900", ".dsf-1-2.tmp", "chkpt_0900.safetensors",
        "0900.safetensors"}) {
    std::ofstream(directory_ / junk) << "x";
    EXPECT_EQ(latest_checkpoint(directory_), fs::path()) << junk;
  }
  fs::create_directory(directory_ / "out_chkpt_0950.safetensors");
  for (const int64_t epoch : {3, 10000, 200}) {
    std::ofstream(directory_ / checkpoint_name(stored_model(), epoch)) << "x";
  }
  EXPECT_EQ(latest_checkpoint(directory_), directory_ / checkpoint_name(stored_model(), 10000));
}

TEST_F(CheckpointTest, AFolderOfThatNameIsNoCheckpoint) {
  fs::create_directory(directory_ / "out_chkpt_0950.safetensors");
  EXPECT_EQ(latest_checkpoint(directory_), fs::path());
}

}  // namespace
}  // namespace dsf
