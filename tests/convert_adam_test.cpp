// Optimizer states in upstream's checkpoints: those that Adam cannot have are refused by name, and
// a model can be read in spite of them.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/files/torch_file.h"
#include "engine/files/torch_writer.h"
#include "engine/files/upstream_checkpoint.h"
#include "engine/training/checkpoint.h"
#include "tests/files_support.h"

namespace dsf {
namespace {

using files_test::error_of;
using files_test::expect_contains;
namespace fs = std::filesystem;

/// torch.optim.Adam's state dictionary, with whatever is to be wrong in it.
struct AdamText {
  std::vector<float> steps{7, 7};  // one state for each
  std::vector<int64_t> params{0, 1};
  std::vector<int64_t> keys{0, 1};
  double lr = 5e-4, beta = 0.9, eps = 1e-8, weight_decay = 0;
  bool amsgrad = false, maximize = false;
  bool integer_steps = false;  // as PyTorch before 1.12
  const char* first_name = "exp_avg";
  int groups = 1;
};

constexpr float kMoments[2][3] = {{0.1F, 0.2F, 0.3F}, {1, 2, 3}};
constexpr int64_t kShape[] = {3};

void write_states(TorchWriter& file, const AdamText& text) {
  PickleWriter& pickle = file.pickle();
  pickle.empty_dict();
  pickle.mark();
  for (size_t i = 0; i < text.steps.size(); ++i) {
    pickle.integer(text.keys[i]);
    pickle.empty_dict();
    pickle.mark();
    pickle.text("step");
    if (text.integer_steps) {
      pickle.integer(static_cast<int64_t>(text.steps[i]));
    } else {
      file.tensor({}, &text.steps[i]);
    }
    pickle.text(text.first_name);
    file.tensor(kShape, kMoments[0]);
    pickle.text("exp_avg_sq");
    file.tensor(kShape, kMoments[1]);
    pickle.set_items();
  }
  pickle.set_items();
}

void write_group(PickleWriter& pickle, const AdamText& text) {
  pickle.empty_dict();
  pickle.mark();
  for (const auto& [name, value] : {std::pair{"lr", text.lr}, std::pair{"eps", text.eps},
                                    std::pair{"weight_decay", text.weight_decay}}) {
    pickle.text(name);
    pickle.real(value);
  }
  pickle.text("betas");
  pickle.real(text.beta);
  pickle.real(0.999);
  pickle.tuple(2);
  pickle.text("amsgrad");
  pickle.boolean(text.amsgrad);
  pickle.text("maximize");
  pickle.boolean(text.maximize);
  pickle.text("params");
  pickle.empty_list();
  pickle.mark();
  for (const int64_t number : text.params) pickle.integer(number);
  pickle.append_items();
  pickle.set_items();
}

class ConvertAdamTest : public files_test::FilesTest {
 protected:
  UpstreamAdam read(const AdamText& text) const {
    TorchWriter file;
    PickleWriter& pickle = file.pickle();
    pickle.empty_dict();
    pickle.mark();
    pickle.text("state");
    write_states(file, text);
    pickle.text("param_groups");
    pickle.empty_list();
    for (int i = 0; i < text.groups; ++i) {
      write_group(pickle, text);
      pickle.append();
    }
    pickle.set_items();
    file.write(path("adam.pth"));
    return read_upstream_adam(read_torch_file(path("adam.pth")));
  }

  void expect_refused(const AdamText& text, const std::string& part) const {
    const std::string message = error_of([&] { read(text); });
    expect_contains(message, path("adam.pth").string());
    expect_contains(message, part);
  }
};

TEST_F(ConvertAdamTest, AStateIsRead) {
  for (const bool integer_steps : {false, true}) {
    AdamText text;
    text.integer_steps = integer_steps;
    text.keys = {1, 0};
    const UpstreamAdam adam = read(text);
    EXPECT_EQ(adam.step, 7);
    EXPECT_EQ(adam.learning_rate, 5e-4);
    ASSERT_EQ(adam.first_moments.size(), 2U);
    EXPECT_EQ(adam.first_moments[1], from_floats({3}, kMoments[0]));
    EXPECT_EQ(adam.second_moments[0], from_floats({3}, kMoments[1]));
  }
}

TEST_F(ConvertAdamTest, AStateWithoutStepsHasNoMoments) {
  AdamText text;
  text.steps = {};
  const UpstreamAdam adam = read(text);
  EXPECT_EQ(adam.step, 0);
  EXPECT_TRUE(adam.first_moments.empty());
  EXPECT_EQ(adam.learning_rate, 5e-4);
}

TEST_F(ConvertAdamTest, AbsurdStatesAreRefused) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  expect_refused({.steps = {7, kNan}}, "'step': it is nan");
  expect_refused({.steps = {kInfinity, 7}}, "'step': it is inf");
  expect_refused({.steps = {-1, 7}}, "'step': it is -1");
  expect_refused({.steps = {0, 0}}, "'step': it is 0");
  expect_refused({.steps = {1.5F, 7}}, "'step': it is 1.5");
  expect_refused({.steps = {3e9F, 7}}, "'step': it is 3000000000");
  expect_refused({.steps = {7, 8}}, "8 steps, other parameters have 7");
  expect_refused({.steps = {7}}, "nothing for parameter 1 of 2");
  expect_refused({.keys = {0, 2}}, "there are only 2 parameters");
  expect_refused({.keys = {0, -1}}, "there are only 2 parameters");
  expect_refused({.keys = {0, 0}}, "twice");
  expect_refused({.params = {1, 0}}, "parameter 0 has number 1");
  expect_refused({.first_name = "exp_average"}, "it has no 'exp_avg'");
  expect_refused({.groups = 0}, "one group");
  expect_refused({.groups = 2}, "one group");
  expect_refused({.lr = std::nan("")}, "'lr': it is nan");
  expect_refused({.lr = -1}, "'lr': it is -1");
}

TEST_F(ConvertAdamTest, OtherOptimizersAreRefused) {
  expect_refused({.beta = 0.8}, "0.9 and 0.999");
  expect_refused({.eps = 1e-6}, "'eps': it is 1e-06");
  expect_refused({.weight_decay = 0.01}, "'weight_decay': it is 0.01");
  expect_refused({.amsgrad = true}, "'amsgrad'");
  expect_refused({.maximize = true}, "'maximize'");
}

/// A model's file with a state that Adam could have, but not of this model.
class ConvertForeignAdamTest : public files_test::FilesTest {
 protected:
  ConvertForeignAdamTest()
      : golden_(read_checkpoint(files_test::kData / "transformer/rope_concat_tiny/checkpoint.pth",
                                WithMoments::yes)) {
    golden_.first_moments.assign(golden_.model.weights.size(), 0.25F);
    golden_.second_moments.assign(golden_.model.weights.size(), 0.5F);
    golden_.model.info.step = 3;
  }

  void expect_refused(const std::string& part) const {
    const fs::path file = path("x.pth");
    write_checkpoint(file, golden_);
    const std::string message = error_of([&] { read_checkpoint(file, WithMoments::yes); });
    expect_contains(message, file.string());
    expect_contains(message, part);
    EXPECT_NO_THROW(read_model(file));  // to generate, no moments are needed
  }

  const Parameter& parameter(size_t index) const { return golden_.model.table.entries()[index]; }
  Checkpoint golden_;
};

TEST_F(ConvertForeignAdamTest, MomentsThatCannotBeAreRefused) {
  const auto at = static_cast<size_t>(parameter(3).offset);
  golden_.second_moments[at + 1] = -1e-9F;
  expect_refused("exp_avg_sq of parameter 3 (" + parameter(3).name + "): element 1 is -1e-09");
  golden_.second_moments[at + 1] = 0;
  golden_.first_moments[at] = std::numeric_limits<float>::quiet_NaN();
  expect_refused("exp_avg of parameter 3 (" + parameter(3).name + "): element 0 is nan");
}

TEST_F(ConvertForeignAdamTest, MomentsOfOtherShapesAreRefused) {
  const fs::path file = path("x.pth");
  write_checkpoint(file, golden_);
  const UpstreamCheckpoint read = read_upstream_checkpoint(file);
  const UpstreamAdam adam = read_upstream_adam(*read.optimizer_state_dict);

  const auto rewrite = [&](const std::function<void(UpstreamAdamContent&)>& change) {
    UpstreamContent content;
    static_cast<UpstreamSizes&>(content.sizes) = read;
    for (const auto& [name, tensor] : read.state_dict) {
      content.state_dict.push_back(
          {name, tensor.shape, reinterpret_cast<const float*>(tensor.bytes.data())});
    }
    UpstreamAdamContent& changed = content.optimizer.emplace();
    changed.step = 3;
    for (size_t i = 0; i < adam.first_moments.size(); ++i) {
      for (auto [from, to] : {std::pair{&adam.first_moments, &changed.first_moments},
                              std::pair{&adam.second_moments, &changed.second_moments}}) {
        to->push_back(
            {"", (*from)[i].shape, reinterpret_cast<const float*>((*from)[i].bytes.data())});
      }
    }
    change(changed);
    changed.parameters = changed.first_moments.size();
    write_upstream_checkpoint(file, content);
    return error_of([&] { read_checkpoint(file, WithMoments::yes); });
  };
  expect_contains(
      rewrite([](UpstreamAdamContent& changed) { changed.second_moments[2].shape = {95}; }),
      "exp_avg_sq of parameter 2 (" + parameter(2).name + "): it has shape [95], expected [19, 5]");
  expect_contains(rewrite([](UpstreamAdamContent& changed) {
                    changed.first_moments.pop_back();
                    changed.second_moments.pop_back();
                  }),
                  fmt::format("it has the state of {} parameters, this model has {}",
                              adam.first_moments.size() - 1, adam.first_moments.size()));
}

}  // namespace
}  // namespace dsf
