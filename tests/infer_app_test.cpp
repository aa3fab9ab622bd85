// dsf_infer's command line.
#include <fmt/format.h>

#include "tests/generation_run.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::GenerationRunTest;
using testing::Program;
using testing::read_text;

class InferApp : public GenerationRunTest {
 protected:
  void expect(int code, std::vector<std::string> words,
              const std::vector<std::string>& parts = {}) {
    words.insert(words.begin(), "dsf_infer");
    const testing::Outcome outcome = Program(directory_, words).wait();
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                              << outcome.output;
    }
  }
};

TEST_F(InferApp, NumbersAreReadStrictly) {
  for (const char* seed : {"-1", "18446744073709551616", "0x10", "1.5", "+3", " 3", ""}) {
    expect(2, {"model.safetensors", "--seed", seed}, {"--seed"});
  }
  for (const char* value : {" 0.5", "0x1p1", "+1", "", "1,5", "nan(1)", "1e39"}) {
    expect(2, {"model.safetensors", "--param", fmt::format("rate={}", value)}, {"rate"});
  }
  for (const char* value : {"3e38", "-1000001", "inf", "nan"}) {
    expect(2, {"model.safetensors", "--param", fmt::format("rate={}", value)}, {"rate", "1000000"});
  }
  expect(2, {"model.safetensors", "--param", "rate=1", "--param", "rate=2"}, {"rate=2", "before"});
  for (const char* top_n : {"0", "-5", "1000000"}) {
    expect(2, {"model.safetensors", "--top-n", top_n}, {"--top-n"});
  }
  expect(2, {"model.safetensors", "--temperature", "0"}, {"temperature"});
  expect(2, {"model.safetensors", "--morph", "middle", "--class", "rain"}, {"--class rain"});
  expect(2, {}, {"MODEL"});
  EXPECT_FALSE(fs::exists(out("out")));
  expect(0, {"model.safetensors", "--seed", "18446744073709551615", "--duration", "0.1"});
  EXPECT_TRUE(fs::exists(out("out/model-fire-seed18446744073709551615.dac")));
}

// A limit on the size of files stands for a full disk: the codes fit, their sound does not.
TEST_F(InferApp, ADiskThatIsFullOfCodesKeepsThem) {
  const std::string command = fmt::format(
      "cd '{}' && trap '' XFSZ && ulimit -f 40 && exec '{}/dsf_infer' model.safetensors --duration "
      "5 "
      "--codec '{}' >full.log 2>&1",
      directory_.string(), DSF_BINARY_DIR, testing::kTinyCodec.string());
  const int status = std::system(("bash -c \"" + command + "\"").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  const std::string output = read_text(out("full.log"));
  EXPECT_NE(output.find("out/model-fire-seed0.wav: cannot write"), std::string::npos) << output;
  EXPECT_NE(output.find("dsf_codec decode makes sound of it"), std::string::npos) << output;
  EXPECT_EQ(read_dac(out("out/model-fire-seed0.dac")).frames, 5 * 86);
}

TEST_F(InferApp, RepeatsARun) {
  expect(0, {"model.safetensors", "--class", "rain", "--param", "rate=-0.25", "--seed", "7",
             "--duration", "0.6", "--loop", "--codec", testing::kTinyCodec.string(), "--format",
             "wav24"});
  const std::string name = "model-rain-loop-seed7", sidecar = "out/" + name + ".json";
  expect(0, {"--repeat", sidecar, "--out", "again"});
  for (const char* ending : {".dac", ".wav", ".png", ".json"}) {
    EXPECT_EQ(read_text(out("again/" + name + ending)), read_text(out("out/" + name + ending)))
        << ending;
  }
  fs::rename(out("model.safetensors"), out("moved.safetensors"));
  expect(1, {"--repeat", sidecar}, {"model.safetensors"});
  expect(0, {"moved.safetensors", "--repeat", sidecar, "--out", "moved"});
  EXPECT_EQ(read_text(out("moved/" + name + ".wav")), read_text(out("out/" + name + ".wav")));
  for (const std::vector<std::string>& option : {std::vector<std::string>{"--class", "fire"},
                                                 {"--seed", "0"},
                                                 {"--stereo"},
                                                 {"--format", "flac"},
                                                 {"--duration", "1"},
                                                 {"--checkpoint", "best"}}) {
    std::vector<std::string> words{"moved.safetensors", "--repeat", sidecar};
    words.insert(words.end(), option.begin(), option.end());
    expect(2, words, {"--repeat", option.front()});
  }
  expect(1, {"--repeat", "absent.json"}, {"absent.json"});
  expect(1, {"--repeat", "model.safetensors"}, {"model.safetensors"});
}

}  // namespace
}  // namespace dsf
