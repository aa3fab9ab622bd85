// Checkpoints in upstream's format and ours: what one holds, the other gives back.
#include "engine/training/convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/files/safetensors.h"
#include "engine/files/torch_file.h"
#include "engine/files/upstream_checkpoint.h"
#include "engine/training/checkpoint.h"
#include "tests/files_support.h"
#include "tests/model_classes.h"
#include "tests/small_model.h"

namespace dsf {
namespace {

using files_test::bytes_of;
using files_test::error_of;
using files_test::expect_contains;
namespace fs = std::filesystem;

CheckpointInfo small_info(ModelClass model_class) {
  CheckpointInfo info;
  info.config = testing::stored_model(model_class);
  info.class_names = {"rain", "wind", "fire"};
  info.parameter_names = {"heat"};
  info.epoch = 12;
  info.seed = 3;
  info.learning_rate = 5e-4F;
  return info;
}

/// A learner that has taken `steps` steps on random frames.
class Trained {
 public:
  explicit Trained(ModelClass model_class, int steps = 0, uint64_t seed = 3)
      : info_(small_info(model_class)), learner_(info_.config, 2, info_.learning_rate, seed) {
    train(steps);
  }
  void train(int steps) {
    testing::train_on_noise(learner_, steps, 1);
    info_.step = learner_.step();
  }
  std::vector<float> weights() const {
    const Tensor view = learner_.model().weights();
    return {view.data, view.data + view.size()};
  }
  const CheckpointInfo& info() const { return info_; }
  Learner& learner() { return learner_; }
  void write(const fs::path& path) const { write_checkpoint(path, learner_, info_); }

 private:
  CheckpointInfo info_;
  Learner learner_;
};

std::string joined(const std::vector<std::string>& sentences) {
  return fmt::format("{}", fmt::join(sentences, "\n"));
}

class ConvertTest : public files_test::FilesTest {
 protected:
  /// A trained model as .pth.
  fs::path upstream_file(ModelClass model_class, int steps) const {
    Trained(model_class, steps).write(path("trained.safetensors"));
    convert_checkpoint(path("trained.safetensors"), path("trained_chkpt_0012.pth"), {});
    return path("trained_chkpt_0012.pth");
  }
};

class ConvertEveryClass : public ConvertTest, public ::testing::WithParamInterface<ModelClass> {};
INSTANTIATE_TEST_SUITE_P(Classes, ConvertEveryClass, ::testing::ValuesIn(upstream_classes()),
                         class_test_name);

TEST_P(ConvertEveryClass, ThereAndBackAgainNothingIsLost) {
  for (const int steps : {0, 3}) {
    const fs::path pth = upstream_file(GetParam(), steps);
    const fs::path native = path("native.safetensors");
    const ConvertOptions names{{"rain", "wind", "fire"}, {"heat"}};
    EXPECT_TRUE(convert_checkpoint(pth, native, names).empty());
    convert_checkpoint(native, path("again.pth"), {});
    EXPECT_EQ(bytes_of(path("again.pth")), bytes_of(pth)) << steps << " steps";

    TensorFile before = read_safetensors(path("trained.safetensors"));
    before.metadata["seed"] = "0";  // the one thing that a .pth has no place for
    EXPECT_EQ(read_safetensors(native), before) << steps << " steps";
  }
}

TEST_P(ConvertEveryClass, TrainingGoesOnFromEitherFormatAlike) {
  const fs::path pth = upstream_file(GetParam(), 4);
  Trained uninterrupted(GetParam(), 4);
  uninterrupted.train(3);
  for (const fs::path& file : {pth, path("trained.safetensors")}) {
    Trained other(GetParam(), 2);  // whose weights and moments are to be replaced
    const std::string said = start_from(file, other.info(), &other.learner());
    expect_contains(said, "optimizer after 4 steps");
    other.train(3);
    EXPECT_EQ(other.weights(), uninterrupted.weights()) << file;
  }
}

TEST_P(ConvertEveryClass, WeightsOnlyLeavesTheOptimizerOut) {
  const fs::path pth = upstream_file(GetParam(), 4);
  convert_checkpoint(pth, path("light.safetensors"), {.weights_only = true});
  convert_checkpoint(path("light.safetensors"), path("light.pth"), {});
  for (const char* light : {"light.safetensors", "light.pth"}) {
    EXPECT_LT(2 * fs::file_size(path(light)), fs::file_size(pth)) << light;
    Trained other(GetParam(), 0, 99);
    const std::string said = start_from(path(light), other.info(), &other.learner());
    expect_contains(said, "no state of the optimizer");
    EXPECT_EQ(other.weights(), Trained(GetParam(), 4).weights());
    EXPECT_EQ(other.learner().step(), 0);
  }
  expect_contains(error_of([&] {
                    Trained other(GetParam());
                    CheckpointInfo run = other.info();
                    run.class_names = {"class0", "class1", "class2"};
                    run.parameter_names = {"param1"};
                    run.seed = 0;
                    resume(path("light.safetensors"), run, other.learner());
                  }),
                  "no state of the optimizer");
}

void expect_same_optimizer(const PickleValue& ours, const PickleValue& theirs) {
  const auto expected = theirs.find("optimizer_state_dict");
  const auto found = ours.find("optimizer_state_dict");
  ASSERT_EQ(found.has_value(), expected.has_value());
  if (!expected) return;
  const UpstreamAdam a = read_upstream_adam(*found), b = read_upstream_adam(*expected);
  EXPECT_EQ(a.learning_rate, b.learning_rate);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.first_moments, b.first_moments);
  EXPECT_EQ(a.second_moments, b.second_moments);
  const auto params = [](const PickleValue& state) {
    return state.at("param_groups")[0].at("params").as_ints();
  };
  EXPECT_EQ(params(*found), params(*expected));
}

/// What torch.save wrote and what we make of it: the same keys, order and values.
void expect_same(const PickleValue& ours, const PickleValue& theirs) {
  expect_same_optimizer(ours, theirs);
  for (const auto& [key, value] : theirs.entries()) {
    const std::string& name = key.as_string();
    if (value.is_dict()) continue;  // tensors: the caller's business
    EXPECT_EQ(ours.at(name).plain_text(), value.plain_text()) << name;
  }
  const auto expected = theirs.at("model_state_dict").entries();
  const auto found = ours.at("model_state_dict").entries();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string& name = expected[i].first.as_string();
    EXPECT_EQ(found[i].first.as_string(), name) << "place " << i;
    const StoredTensor& a = found[i].second.as_tensor();
    const StoredTensor& b = expected[i].second.as_tensor();
    EXPECT_EQ(a.shape, b.shape) << name;
    if (name.find("positional_embedding") == std::string::npos) {
      EXPECT_EQ(a, b) << name;
      continue;
    }
    // Rotary tables are computed anew. An angle is below Tt and is rounded twice, in float32; sine
    // and cosine add the rounding of a value below 1.
    const auto length = static_cast<float>(b.shape[0]);
    const float tolerance = (2 * length + 1) * std::numeric_limits<float>::epsilon();
    const auto x = to_floats(a), y = to_floats(b);
    for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(x[k], y[k], tolerance) << name << ' ' << k;
  }
}

TEST_F(ConvertTest, AGoldenCheckpointComesBackAsUpstreamWroteIt) {
  std::vector<fs::path> cases;
  for (const fs::path& parent : {files_test::kData / "transformer",
                                 fs::path(DSF_SOURCE_DIR) / "../shared/golden/transformer"}) {
    if (!fs::is_directory(parent)) continue;
    for (const auto& entry : fs::directory_iterator(parent)) cases.push_back(entry.path());
  }
  ASSERT_FALSE(cases.empty());
  for (const fs::path& golden : cases) {
    SCOPED_TRACE(golden.string());
    convert_checkpoint(golden / "checkpoint.pth", path("ours.safetensors"), {});
    convert_checkpoint(path("ours.safetensors"), path("ours.pth"), {});
    expect_same(read_torch_file(path("ours.pth")), read_torch_file(golden / "checkpoint.pth"));
  }
}

TEST_F(ConvertTest, WhatAFormatCannotHoldIsSaid) {
  Trained(ModelClass::rope_concat, 1).write(path("x.safetensors"));
  const std::string lost =
      joined(convert_checkpoint(path("x.safetensors"), path("x_chkpt_0011.pth"), {}));
  for (const char* part : {"rain, wind, fire", "heat", "seed (3)", "_chkpt_0012.pth"}) {
    expect_contains(lost, part);
  }
  const std::string unknown =
      joined(convert_checkpoint(path("x_chkpt_0011.pth"), path("y.safetensors"), {}));
  for (const char* part : {"class0, class1, class2", "param1", "--class-names", "--param-names"}) {
    expect_contains(unknown, part);
  }
  EXPECT_EQ(read_model(path("y.safetensors")).info.epoch, 11);
}

TEST_F(ConvertTest, Bf16WeightsAreRoundedToNearestAndTakeHalfTheBytes) {
  const Trained trained(ModelClass::streaming, 3);
  trained.write(path("ours.safetensors"));
  convert_checkpoint(path("ours.safetensors"), path("fp32.safetensors"), {.weights_only = true});
  convert_checkpoint(path("ours.safetensors"), path("bf16.safetensors"),
                     {.weights_only = true, .dtype = "bf16"});
  const TrainedModel exact = read_model(path("fp32.safetensors"));
  const TrainedModel rounded = read_model(path("bf16.safetensors"));
  ASSERT_EQ(rounded.weights.size(), exact.weights.size());
  for (size_t i = 0; i < exact.weights.size(); ++i) {
    ASSERT_NEAR(rounded.weights[i], exact.weights[i], 0x1p-8 * std::abs(exact.weights[i]));
  }
  EXPECT_NE(rounded.weights, exact.weights);
  EXPECT_EQ(rounded.info.class_names, exact.info.class_names);
  const double saved = static_cast<double>(fs::file_size(path("fp32.safetensors"))) -
                       static_cast<double>(fs::file_size(path("bf16.safetensors")));
  EXPECT_NEAR(saved, 2.0 * static_cast<double>(exact.weights.size()), 1000);  // their headers
  // What bf16 holds is not rounded again.
  convert_checkpoint(path("bf16.safetensors"), path("again.safetensors"),
                     {.weights_only = true, .dtype = "bf16"});
  EXPECT_EQ(files_test::bytes_of(path("again.safetensors")),
            files_test::bytes_of(path("bf16.safetensors")));
  // Nor is it made larger, where nobody asks for that.
  convert_checkpoint(path("bf16.safetensors"), path("copy.safetensors"), {});
  EXPECT_EQ(files_test::bytes_of(path("copy.safetensors")),
            files_test::bytes_of(path("bf16.safetensors")));
  convert_checkpoint(path("bf16.safetensors"), path("large.safetensors"), {.dtype = "fp32"});
  EXPECT_GT(fs::file_size(path("large.safetensors")),
            fs::file_size(path("fp32.safetensors")) - 1000);
  EXPECT_EQ(read_model(path("large.safetensors")).weights, rounded.weights);
}

TEST_F(ConvertTest, HowCodesAreDrawnIsStoredAsFarAsItIsSaid) {
  Trained(ModelClass::rope_concat, 3).write(path("a.safetensors"));
  convert_checkpoint(path("a.safetensors"), path("b.safetensors"), {.sampling = {1024, {}, 0.25F}});
  EXPECT_EQ(read_model(path("b.safetensors")).info.sampling, (SampleSettings{1024, 1, 0.25F}));
  convert_checkpoint(path("b.safetensors"), path("c.safetensors"), {.sampling = {{}, 0.5F, {}}});
  EXPECT_EQ(read_model(path("c.safetensors")).info.sampling, (SampleSettings{1024, 0.5F, 0.25F}));
  expect_contains(joined(convert_checkpoint(path("c.safetensors"), path("d_chkpt_0003.pth"), {})),
                  "--top-n 1024 --temperature 0.5 --min-p 0.25");
}

TEST_F(ConvertTest, MisuseIsAUsageError) {
  Trained(ModelClass::streaming).write(path("ours.safetensors"));
  Trained(ModelClass::rope_concat).write(path("theirs.safetensors"));
  const auto refused = [&](const char* from, const char* to, const ConvertOptions& options,
                           const std::string& part) {
    try {
      convert_checkpoint(path(from), path(to), options);
      ADD_FAILURE() << "no error: " << part;
    } catch (const UsageError& error) {
      expect_contains(error.what(), part);
    }
    EXPECT_FALSE(fs::exists(path(to)));
  };
  refused("ours.safetensors", "x.pth", {}, "StreamingDACTransformer");
  refused("theirs.safetensors", "x.bin", {}, ".safetensors or .pth");
  refused("theirs.safetensors", "x.safetensors", {.class_names = {"a", "b"}}, "2 class names");
  refused("theirs.safetensors", "x.safetensors", {.class_names = {"a", "b", "a"}},
          "'a' is given twice");
  refused("theirs.safetensors", "x.safetensors", {.class_names = {"a", "b", ""}}, "is empty");
  refused("theirs.safetensors", "x.safetensors",
          {.class_names = {"a", "b", "c"}, .parameter_names = {"b"}}, "'b' would be a class and");
  refused("theirs.safetensors", "x.safetensors", {.parameter_names = {"a", "b"}},
          "2 parameter names");
  refused("ours.safetensors", "x.safetensors", {.weights_only = true, .dtype = "fp16"}, "fp16");
  refused("ours.safetensors", "x.safetensors", {.dtype = "bf16"}, "--weights-only");
  refused("ours.safetensors", "x.safetensors", {.sampling = {0, {}, {}}}, "--top-n 0");
  refused("theirs.safetensors", "x.pth", {.weights_only = true, .dtype = "bf16"}, ".pth");
  const std::vector<std::string> names{"a", "b", "c"};
  refused("theirs.safetensors", "x.pth", {.class_names = names}, "--class-names");
  refused("theirs.safetensors", "x.pth", {.parameter_names = names}, "--param-names");
  refused("theirs.safetensors", "x.pth", {.codec = "bundled"}, "--codec");
  refused("theirs.safetensors", "x.pth", {.sampling = {20, {}, {}}}, "--top-n");
  refused("theirs.safetensors", "x.pth", {.sampling = {{}, 0.5F, {}}}, "--temperature");
  refused("theirs.safetensors", "x.pth", {.sampling = {{}, {}, 0.5F}}, "--min-p");
}

TEST_F(ConvertTest, ARunStartsOnlyFromAModelOfItsSizes) {
  const fs::path pth = upstream_file(ModelClass::rope_concat, 1);
  const auto refused = [&](const std::function<void(ModelConfig&)>& change,
                           const std::string& part) {
    CheckpointInfo run = small_info(ModelClass::rope_concat);
    change(run.config);
    Learner learner(run.config, 1, 1e-3F, 0);
    try {
      start_from(pth, run, &learner);
      ADD_FAILURE() << "no error: " << part;
    } catch (const UsageError& error) {
      expect_contains(error.what(), pth.string());
      expect_contains(error.what(), part);
    }
  };
  refused([](ModelConfig& c) { c.model_class = ModelClass::streaming; }, "StreamingDACTransformer");
  refused([](ModelConfig& c) { c.embed_size = 48; }, "embed_size is 24 there and 48");
  refused([](ModelConfig& c) { c.num_layers = 3; }, "num_layers is 2 there and 3");
  refused([](ModelConfig& c) { c.num_heads = 4; }, "num_heads is 2 there and 4");
  refused([](ModelConfig& c) { c.forward_expansion = 1; }, "forward_expansion is 2 there and 1");
  refused([](ModelConfig& c) { c.vocab_size = 21; }, "vocab_size is 20 there and 21");
  refused([](ModelConfig& c) { c.num_codebooks = 4; }, "num_codebooks is 2 there and 4");
  refused([](ModelConfig& c) { c.num_classes = 4; }, "number of classes is 3 there and 4");
  refused([](ModelConfig& c) { c.num_parameters = 2; }, "number of parameters is 1 there and 2");

  CheckpointInfo longer = small_info(ModelClass::rope_concat);
  longer.config.lookback = 9;
  longer.config.max_length = 11;
  longer.config.dropout = 0;
  Learner learner(longer.config, 1, 1e-3F, 0);
  EXPECT_NO_THROW(start_from(pth, longer, &learner));
}

TEST_F(ConvertTest, OtherNamesAreMentioned) {
  Trained(ModelClass::rope_concat, 1).write(path("x.safetensors"));
  CheckpointInfo run = small_info(ModelClass::rope_concat);
  run.class_names = {"a", "b", "c"};
  Learner learner(run.config, 1, 1e-3F, 0);
  const std::string said = start_from(path("x.safetensors"), run, &learner);
  expect_contains(said, "rain, wind, fire");
  EXPECT_EQ(said.find("heat"), std::string::npos) << said;
  EXPECT_EQ(said.find("codec"), std::string::npos) << said;
}

TEST_F(ConvertTest, AnotherCodecIsMentioned) {
  Trained(ModelClass::rope_concat, 1).write(path("x.safetensors"));
  Checkpoint checkpoint = read_checkpoint(path("x.safetensors"), WithMoments::yes);
  checkpoint.model.info.codec = "official";
  write_checkpoint(path("x.safetensors"), checkpoint);
  CheckpointInfo run = small_info(ModelClass::rope_concat);
  const auto said = [&](const char* codec) {
    run.codec = codec;
    return start_from(path("x.safetensors"), run, nullptr);
  };
  expect_contains(said("bundled"), "; its codec is official, this run's bundled");
  EXPECT_TRUE(said("").ends_with("; its codec is official"));
  EXPECT_EQ(said("official").find("codec"), std::string::npos);
}

}  // namespace
}  // namespace dsf
