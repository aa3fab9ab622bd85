// dsf_convert, and dsf_train --from, as a user runs them.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/files_support.h"
#include "tests/program.h"
#include "tests/tiny_run.h"

namespace dsf {
namespace {

using files_test::expect_contains;
namespace fs = std::filesystem;
using dsf::testing::Outcome;
using dsf::testing::Program;

class ConvertAppTest : public files_test::FilesTest {
 protected:
  Outcome run(const std::vector<std::string>& words) const {
    return Program(path("."), words).wait();
  }
  void expect_outcome(const std::vector<std::string>& words, int code,
                      const std::vector<std::string>& parts) const {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    for (const std::string& part : parts) expect_contains(outcome.output, part);
  }
};

const std::string kGolden = (files_test::kData / "transformer/rope_concat_tiny").string();

TEST_F(ConvertAppTest, ConvertsBothWaysAndSaysWhatIsLost) {
  expect_outcome({"dsf_convert", kGolden + "/checkpoint.pth", "x.safetensors"}, 0,
                 {"class0", "--class-names", "--param-names", "wrote x.safetensors"});
  expect_outcome({"dsf_convert", kGolden + "/checkpoint.pth", "named.safetensors", "--class-names",
                  "rain,wind,fire", "--param-names", "a,b", "--quiet"},
                 0, {});
  expect_outcome({"dsf_convert", "named.safetensors", "x.pth"}, 0, {"rain, wind, fire", "a, b"});
  expect_outcome({"dsf_convert", "x.pth", "y.pth", "--quiet"}, 0, {});
  EXPECT_EQ(files_test::bytes_of(path("x.pth")), files_test::bytes_of(path("y.pth")));
}

TEST_F(ConvertAppTest, TheCodecCanBeSaid) {
  const std::string pth = kGolden + "/checkpoint.pth";
  expect_outcome({"dsf_convert", pth, "x.safetensors", "--codec", "bundled"}, 0, {});
  expect_outcome({"dsf_convert", "x.safetensors", "y.safetensors", "--weights-only"}, 0, {});
  expect_outcome({"dsf_convert", "--inspect", "y.safetensors"}, 0, {"codec", "bundled"});
  expect_outcome(
      {"dsf_convert", "y.safetensors", "half.safetensors", "--weights-only", "--dtype", "bf16"}, 0,
      {"wrote half.safetensors"});
  expect_outcome({"dsf_convert", "--inspect", "half.safetensors"}, 0, {"BF16", "bundled"});
  expect_outcome({"dsf_convert", "y.safetensors", "y.pth"}, 0, {"which codec", "bundled"});
  expect_outcome({"dsf_convert", "y.safetensors", "z.safetensors", "--codec", "offical"}, 2,
                 {"--codec offical"});
}

TEST_F(ConvertAppTest, MisuseIsExplained) {
  const std::string pth = kGolden + "/checkpoint.pth";
  expect_outcome({"dsf_convert"}, 2, {"--inspect", "--help"});
  expect_outcome({"dsf_convert", pth}, 2, {"OUT"});
  expect_outcome({"dsf_convert", pth, "x.pth", "--inspect", pth}, 2, {"--inspect"});
  expect_outcome({"dsf_convert", "--inspect", pth, "--weights-only"}, 2,
                 {"--weights-only has no meaning with --inspect"});
  expect_outcome({"dsf_convert", "--inspect", pth, "--dtype", "bf16"}, 2,
                 {"--dtype has no meaning with --inspect"});
  expect_outcome({"dsf_convert", "--inspect", pth, "--class-names", "a,b,c"}, 2, {"--class-names"});
  expect_outcome({"dsf_convert", "--inspect", pth, "--param-names", "a"}, 2, {"--param-names"});
  expect_outcome({"dsf_convert", "--inspect", pth, "--top-n", "5"}, 2, {"--top-n"});
  expect_outcome({"dsf_convert", pth, "x.txt"}, 2, {"x.txt", ".safetensors"});
  expect_outcome({"dsf_convert", pth, "x.safetensors", "--class-names", "a"}, 2,
                 {"1 class name given", "3"});
  fs::copy_file(pth, path("same.pth"));
  expect_outcome({"dsf_convert", "same.pth", "./same.pth", "--weights-only"}, 2,
                 {"./same.pth is the checkpoint itself"});
  expect_outcome({"dsf_convert", "absent.pth", "x.safetensors"}, 1, {"absent.pth"});
  expect_outcome({"dsf_convert", pth, "absent/x.safetensors"}, 1, {"absent/x.safetensors"});
  std::ofstream(path("broken.pth")) << "PK\x03\x04 and no more";
  expect_outcome({"dsf_convert", "broken.pth", "x.safetensors"}, 1, {"broken.pth"});
  expect_outcome({"dsf_convert", "--inspect", "broken.pth"}, 1, {"broken.pth"});
  EXPECT_FALSE(fs::exists(path("x.safetensors")));
}

TEST_F(ConvertAppTest, InspectListsWhatIsInAFile) {
  expect_outcome({"dsf_convert", "--inspect", kGolden + "/checkpoint.pth"}, 0,
                 {"inf_context_length", "model_state_dict/layers.1.linear_reduce.weight", "F32",
                  "[20, 25]", "2000 bytes"});
  expect_outcome({"dsf_convert", "--inspect", kGolden + "/case.safetensors"}, 0,
                 {"min_greedy_margin", "grad/final_layer.bias", "I32", "[76]", "304 bytes"});
  expect_outcome(
      {"dsf_convert", "--inspect", (files_test::kData / "dac/tiny/weights.pth").string()}, 0,
      {"metadata/kwargs/encoder_rates", "state_dict/decoder.model.0", "tensors, "});
}

TEST_F(ConvertAppTest, ATrainingGoesOnFromAConvertedCheckpoint) {
  make_tiny_data(path("train"), 4, 11);
  make_tiny_data(path("validate"), 2, 12);
  write_tiny_config(path("params.yaml"), "RopeCondDACTransformer");
  ASSERT_EQ(run({"dsf_train", "params.yaml"}).exit_code, 0);
  const std::string trained = "runs/tiny/" + tiny_checkpoint(2);
  ASSERT_EQ(run({"dsf_convert", trained, "x.pth"}).exit_code, 0);
  std::vector<std::string> from{"dsf_train",        "params.yaml", "--set",
                                "experiment=again", "--from",      "x.pth"};
  expect_outcome(from, 0, {"starting from x.pth", "optimizer after 4 steps"});
  expect_outcome(from, 2, {"runs/again", "--resume"});  // it has checkpoints of its own now
  from.emplace_back("--resume");
  expect_outcome(from, 0, {"resuming from runs/again"});

  const auto refused = [&](const char* file, const char* layers, int code, const char* part) {
    expect_outcome(
        {"dsf_train", "params.yaml", "--set", "experiment=other", "--set", layers, "--from", file},
        code, {file, part});
  };
  refused("x.pth", "num_layers=3", 2, "num_layers is 2 there and 3");
  refused("absent.pth", "num_layers=2", 1, "no such run folder or checkpoint");

  write_tiny_config(path("ours.yaml"), "StreamingDACTransformer");
  ASSERT_EQ(run({"dsf_train", "ours.yaml", "--set", "experiment=ours"}).exit_code, 0);
  expect_outcome({"dsf_convert", "runs/ours/" + tiny_checkpoint(2), "ours.pth"}, 2,
                 {"StreamingDACTransformer"});
}

}  // namespace
}  // namespace dsf
