// dsf_infer's command line.
#include <fmt/format.h>

#include "tests/generation_run.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::GenerationRunTest;
using testing::kTinyCodec;
using testing::Program;
using testing::read_text;

class InferApp : public GenerationRunTest {
 protected:
  std::string expect(int code, std::vector<std::string> words,
                     const std::vector<std::string>& parts = {}) {
    words.insert(words.begin(), "dsf_infer");
    const testing::Outcome outcome = Program(directory_, words).wait();
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    for (const std::string& part : parts) {
      EXPECT_NE(outcome.output.find(part), std::string::npos) << "expected '" << part << "' in:\n"
                                                              << outcome.output;
    }
    return outcome.output;
  }
};

TEST_F(InferApp, NumbersAreReadStrictly) {
  for (const char* seed : {"-1", "18446744073709551616", "0x10", "1.5", "+3", " 3", ""}) {
    expect(2, {"model.safetensors", "--seed", seed}, {"--seed"});
  }
  for (const char* value : {" 0.5", "0x1p1", "+1", "", "1,5", "1e39"}) {
    expect(2, {"model.safetensors", "--param", fmt::format("rate={}", value)},
           {fmt::format("--param rate={0}: '{0}' is no number", value)});
  }
  for (const char* value : {"3e38", "-1000001", "inf", "nan", "nan(1)"}) {
    expect(2, {"model.safetensors", "--param", fmt::format("rate={}", value)}, {"rate", "1000000"});
  }
  expect(2, {"model.safetensors", "--param", "rate=1", "--param", "rate=2"}, {"rate=2", "before"});
  for (const char* top_n : {"0", "-5", "1000000"}) {
    expect(2, {"model.safetensors", "--top-n", top_n}, {"--top-n"});
  }
  expect(2, {"model.safetensors", "--temperature", "0"}, {"temperature"});
  for (const char* min_p : {"-0.1", "1.5", "nan"}) {
    expect(2, {"model.safetensors", "--min-p", min_p}, {"--min-p"});
  }
  expect(2, {"model.safetensors", "--morph", "middle", "--class", "rain"}, {"--class rain"});
  expect(2, {}, {"MODEL"});
  EXPECT_FALSE(fs::exists(out("out")));
  expect(0, {"model.safetensors", "--seed", "18446744073709551615", "--duration", "0.1"});
  EXPECT_TRUE(fs::exists(out("out/model-fire-seed18446744073709551615.dac")));
}

TEST_F(InferApp, StoppedItSaysSoAndLeavesNoFolder) {
  Program program(directory_, {"dsf_infer", "model.safetensors", "--duration", "86400"});
  const fs::path process = fs::path("/proc") / std::to_string(program.id());
  for (int i = 0; i < 3000 && !testing::blocks_interrupts(process); ++i) usleep(10'000);
  usleep(100'000);
  program.interrupt();
  const testing::Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_NE(outcome.output.find("stopped: 0 of 1 sound written"), std::string::npos)
      << outcome.output;
  EXPECT_FALSE(fs::exists(out("out")));
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
             "--duration", "0.6", "--loop", "--codec", kTinyCodec.string(), "--format", "wav24"});
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

TEST_F(InferApp, KeepsWeightsInFewerBits) {
  const auto codes = [&](const char* folder) {
    return read_text(out(fmt::format("{}/model-fire-seed0.dac", folder)));
  };
  expect(0, {"model.safetensors", "--duration", "3"});
  expect(0, {"model.safetensors", "--duration", "3", "--weights", "int8", "--out", "small"});
  EXPECT_NE(codes("small"), codes("out"));
  expect(0, {"--repeat", "small/model-fire-seed0.json", "--out", "again"});
  EXPECT_EQ(codes("again"), codes("small"));
  expect(2, {"model.safetensors", "--weights", "int4"}, {"--weights int4", "fp32, bf16 or int8"});
  make_model(ModelClass::rope_film);
  expect(2, {"model.safetensors", "--weights", "bf16"}, {"--weights bf16", "expected fp32"});
}

TEST_F(InferApp, WithoutAModelItPlaysTheBundledOne) {
  const std::string place = out("data/models/textures.safetensors").string();
  expect(2, {}, {"MODEL is required", place + " is not there", "DSF_DATA", "dsf_train"});
  make_model(ModelClass::streaming, 64, 4, "bundled");
  bundle_model();
  bundle_codec();
  expect(0, {},
         {place, "classes fire, rain", "rate rises from 0 to 1", "drawn from", "at temperature 1",
          "try next", "dsf_infer --class rain"});
  const std::string refused = expect(2, {"--duration", "0"}, {"--duration 0: must be above 0"});
  EXPECT_EQ(refused.find("playing"), std::string::npos) << refused;
  const auto described = sidecar("out/textures-tour-seed0.json");
  EXPECT_EQ(described.at("morph"), "tour");
  EXPECT_EQ(described.at("frames"), 860);
  EXPECT_EQ(described.at("codec").at("file"), out("data/codec/weights.pth").string());
  EXPECT_TRUE(fs::exists(out("out/textures-tour-seed0.wav")));
  EXPECT_TRUE(fs::exists(out("out/textures-tour-seed0.png")));
  expect(0, {"--repeat", "out/textures-tour-seed0.json", "--out", "again"});
  EXPECT_EQ(read_text(out("again/textures-tour-seed0.wav")),
            read_text(out("out/textures-tour-seed0.wav")));

  // All other options work as with a MODEL that is given.
  const std::string fixed =
      expect(0, {"--duration", "1", "--param", "rate=0.25", "--stereo", "--seed", "3"});
  EXPECT_EQ(fixed.find("rise"), std::string::npos) << fixed;
  EXPECT_TRUE(fs::exists(out("out/textures-tour-stereo-seed3.wav")));
  expect(0, {"--duration", "1", "--loop", "--prime", "none"});
  EXPECT_TRUE(fs::exists(out("out/textures-tour-loop-seed0.wav")));
  expect(0, {"--duration", "1", "--class", "rain"});
  EXPECT_TRUE(fs::exists(out("out/textures-rain-seed0.wav")));
  expect(0, {"--duration", "1", "--morph", "overlap"});
  EXPECT_TRUE(fs::exists(out("out/textures-overlap-seed0.wav")));
  expect(0, {"--duration", "1", "--prime", "out/textures-rain-seed0.dac"}, {"class rain"});
  EXPECT_TRUE(fs::exists(out("out/textures-rain-from86-seed0.wav")));
  const std::string quiet = expect(0, {"--duration", "0.5", "--seed", "9", "--quiet"});
  EXPECT_EQ(quiet, "");
}

TEST_F(InferApp, DecodesWithTheCodecThatIsNamedOrThatTheModelSays) {
  bundle_codec();
  const std::vector<std::string> brief = {"model.safetensors", "--duration", "0.2"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), brief.begin(), brief.end());
    return more;
  };
  // A model that says nothing: its codes may be anyone's.
  expect(0, brief, {"no sound", "--codec bundled", "release 0.0.1"});
  EXPECT_FALSE(fs::exists(out("out/model-fire-seed0.wav")));
  expect(0, with({"--codec", "bundled", "--out", "named"}));
  EXPECT_TRUE(fs::exists(out("named/model-fire-seed0.wav")));
  expect(1, with({"--codec", "official"}), {"no official codec weights"});

  make_model(ModelClass::streaming, 64, 4, "bundled");
  expect(0, with({"--out", "said"}));
  EXPECT_EQ(sidecar("said/model-fire-seed0.json").at("codec").at("file"),
            out("data/codec/weights.pth").string());
  make_model(ModelClass::streaming, 64, 4, kTinyCodec.string());
  expect(0, with({"--out", "file"}));
  EXPECT_EQ(sidecar("file/model-fire-seed0.json").at("codec").at("file"), kTinyCodec.string());

  // What the model says is not there: no other is taken for it.
  for (const char* codec : {"official", "absent.pth"}) {
    make_model(ModelClass::streaming, 64, 4, codec);
    const std::string title = std::string(codec) + "-out";
    expect(0, with({"--out", title}), {"no sound", "the codec '" + std::string(codec) + "'"});
    EXPECT_FALSE(fs::exists(out(title + "/model-fire-seed0.wav")));
    expect(2, {"model.safetensors", "--loop"}, {"--loop", codec});
    expect(0, with({"--out", title, "--codec", kTinyCodec.string()}));
  }
  make_model(ModelClass::streaming, 65, 4, "bundled");
  expect(1, brief, {"codebooks of 64 codes, the model's vocabulary has 65"});
}

}  // namespace
}  // namespace dsf
