// What a run leaves: names, what it refuses before it draws, a stop, repetition from a side-car.
#include <fmt/format.h>

#include <thread>

#include "engine/codec/dac_decoding.h"
#include "engine/generation/output.h"
#include "engine/generation/repeat.h"
#include "engine/model/sampling.h"
#include "tests/generation_run.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::GenerationRunTest;
using testing::kTinyCodec;
using testing::read_text;

class GenerationFiles : public GenerationRunTest {
 protected:
  /// Contents by name.
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> contents;
    for (const auto& entry : fs::directory_iterator(out(folder))) {
      contents[entry.path().filename().string()] = read_text(entry.path());
    }
    return contents;
  }
  GenerationJob brief(const std::string& folder) const {
    GenerationJob one = job(folder);
    one.request.duration = 0.2;
    return one;
  }
};

TEST_F(GenerationFiles, CodesAreDrawnAsTheModelSaysUnlessTheRequestDoes) {
  const auto drawn = [&](const std::string& folder, const SampleSettings& stored,
                         const SamplingChoice& asked) {
    GenerationJob one = brief(folder);
    Checkpoint checkpoint = read_checkpoint(one.model, WithMoments::no);
    checkpoint.model.info.sampling = stored;
    one.model = out(folder + ".safetensors");
    write_checkpoint(one.model, checkpoint);
    one.request.sampling = asked;
    run(one);
    return read_dac(out(fmt::format("{0}/{0}-fire-seed40.dac", folder))).codes;
  };
  const auto one = drawn("one", {1, 1, 0}, {});
  EXPECT_EQ(sidecar("one/one-fire-seed40.json").at("top_n"), 1);
  EXPECT_EQ(drawn("said", {}, {1, {}, {}}), one);
  EXPECT_NE(drawn("hundred", {}, {}), one);
  EXPECT_EQ(drawn("least", {100, 1, 1}, {}), one) << "min_p 1 leaves the likeliest";
  EXPECT_EQ(sidecar("least/least-fire-seed40.json").at("min_p"), 1);
  EXPECT_NE(drawn("none", {100, 1, 1}, {{}, {}, 0.0F}), one);
  GenerationJob again = read_repeat(out("none/none-fire-seed40.json"));
  EXPECT_EQ(again.request.sampling.min_p, 0) << "not as the model says";
}

TEST(Sampling, IsDescribed) {
  EXPECT_EQ(describe({1024, 1, 0}, 1024), "from all 1024 at temperature 1");
  EXPECT_EQ(describe({100, 0.9F, 0.05F}, 1024),
            "from the 100 likeliest at temperature 0.9, none below 0.05 of the likeliest");
}

// ---- Names

TEST_F(GenerationFiles, AnotherRunDoesNotOverwriteButTheSameMay) {
  GenerationJob one = brief("out");
  run(one);
  const auto first = files("out");
  EXPECT_EQ(first.size(), 4U);
  run(one);
  EXPECT_EQ(files("out"), first) << "the same run again";
  one.request.parameters["rate"] = 0.9F;
  run(one);
  run(one);
  one.request.sampling.temperature = 0.5F;
  run(one);
  one.request.sampling.min_p = 0.3F;
  run(one);
  const auto all = files("out");
  EXPECT_EQ(all.size(), 16U);
  for (const auto& [name, content] : first) EXPECT_EQ(all.at(name), content) << name;
  EXPECT_FLOAT_EQ(sidecar("out/model-fire-seed40-2.json").at("parameters").at("rate"), 0.9F);
  EXPECT_EQ(sidecar("out/model-fire-seed40-3.json").at("temperature"), 0.5);
  EXPECT_FALSE(sidecar("out/model-fire-seed40-3.json").contains("min_p"));
  EXPECT_EQ(read_repeat(out("out/model-fire-seed40-4.json")).request.sampling.min_p, 0.3F);
  fs::remove(out("out/model-fire-seed40.json"));
  run(brief("out"));
  EXPECT_TRUE(fs::exists(out("out/model-fire-seed40-5.dac"))) << "without a side-car it is foreign";
}

TEST_F(GenerationFiles, ARetrainedModelIsAnother) {
  run(brief("out"));
  make_model(ModelClass::streaming, 60);
  run(brief("out"));
  EXPECT_TRUE(fs::exists(out("out/model-fire-seed40-2.wav")));
}

TEST_F(GenerationFiles, FoldersKeepTheirWholeName) {
  fs::create_directories(out("wind.v2"));
  std::ofstream(out("run.e5.safetensors")) << "x";
  for (const char* folder : {"wind.v2", "wind.v2/", "wind.v2/.", "x/../wind.v2"}) {
    EXPECT_EQ(title_of(out(folder)), "wind.v2") << folder;
  }
  EXPECT_EQ(title_of(out("run.e5.safetensors")), "run.e5");
}

TEST_F(GenerationFiles, NamesOfClassesMayHoldAnything) {
  class_names_ = {"rain/snow", "a\nb\\c"};
  make_model(ModelClass::streaming);
  GenerationJob one = brief("out");
  run(one);
  EXPECT_TRUE(fs::exists(out("out/model-rain_snow-seed40.wav")));
  one.request.class_name = class_names_[1];
  run(one);
  EXPECT_TRUE(fs::exists(out("out/model-a_b_c-seed40.wav")));
}

// ---- Refusals

TEST_F(GenerationFiles, ACodecThatLacksTheModelsCodesIsRefusedAtOnce) {
  make_model(ModelClass::streaming, 65);
  expect_refusal<Error>(brief("out"), {"weights.pth", "64 codes", "65"});
  make_model(ModelClass::streaming, 64, 6);
  expect_refusal<Error>(brief("out"), {"weights.pth", "4 codebooks", "6"});
  EXPECT_FALSE(fs::exists(out("out")));
}

TEST_F(GenerationFiles, AFolderThatCannotBeWrittenIsRefusedAtOnce) {
  GenerationJob one = brief("out");
  one.request.duration = 80'000;  // hours of work
  for (const fs::path& folder : {fs::path("/proc/sounds"), fs::path("/proc"), out("file")}) {
    std::ofstream(out("file")) << "in the way";
    one.folder = folder;
    expect_refusal<Error>(one, {folder.string(), "cannot write"});
  }
}

TEST_F(GenerationFiles, OptionsWithoutEffectAreRefused) {
  GenerationJob one = brief("out");
  one.request.class_name = "rain";
  for (const char* morph : {"classes", "middle"}) {
    one.request.morph = morph;
    expect_refusal<UsageError>(one, {"--class rain", morph});
  }
  for (const char* morph : {"sweep", "overlap"}) {
    one.request.morph = morph;
    run(one);
  }
  one = brief("out");
  one.request.sampling.top_n = 65'537;
  expect_refusal<UsageError>(one, {"--top-n 65537", "65536"});
  one.request.sampling.top_n = 100;
  one.request.seed = std::numeric_limits<uint64_t>::max();
  run(one);
  one.request.stereo = true;
  expect_refusal<UsageError>(one, {"--seed 18446744073709551615", "2 seeds"});
  one = brief("out");
  one.request.parameters["rate"] = 3e38F;
  expect_refusal<UsageError>(one, {"'rate'", "3e+38", "1000000"});
}

// ---- Codecs of other rates

TEST_F(GenerationFiles, RateAndHopAreTheCodecs) {
  const fs::path weights = fs::path(DSF_SOURCE_DIR) / "../shared/golden/dac/oddrates/weights.pth";
  if (!fs::exists(weights)) GTEST_SKIP() << "SKIPPED: no codec of other rates: " << weights;
  GenerationJob one = job("out");
  one.codec = weights;
  run(one);
  const Codec codec = Codec::load(weights);
  const DacFile file = read_dac(out("out/model-fire-seed40.dac"));
  EXPECT_EQ(file.frames, 16'000 / 30) << "1 s";
  EXPECT_EQ(file.metadata.sample_rate, 16'000);
  EXPECT_EQ(file.metadata.original_length, codec.geometry().samples(file.frames, true));
  const Audio sound = read_audio(out("out/model-fire-seed40.wav"));
  EXPECT_EQ(sound.sample_rate, 16'000);
  EXPECT_EQ(sound.frames(), file.metadata.original_length);
  EXPECT_EQ(sound.samples, decode_dac(codec, file).samples) << "what dsf_codec makes of it";

  one.request.loop = true;
  one.request.duration = 2;
  run(one);
  const Audio loop = read_audio(out("out/model-fire-loop-seed40.wav"));
  EXPECT_EQ(loop.frames(), 2 * 533 * 30);
  const DacFile codes = read_dac(out("out/model-fire-loop-seed40.dac"));
  EXPECT_EQ(codes.metadata.original_length, codec.geometry().samples(2 * 533, true));
  EXPECT_EQ(
      sidecar("out/model-fire-loop-seed40.json").at("result").at("loop").at("crossfade_frames"),
      266)
      << "half a second";
  one.request.duration = 0.49;
  expect_refusal<UsageError>(one, {"loop", "266"});

  one = job("silent");
  one.codec.clear();
  run(one);
  const DacFile silent = read_dac(out("silent/model-fire-seed40.dac"));
  EXPECT_EQ(silent.frames, 86);
  EXPECT_EQ(silent.metadata.sample_rate, 44'100);
  EXPECT_EQ(silent.metadata.original_length, 86 * 512);
}

// ---- Stops

TEST_F(GenerationFiles, AStopWhileDecodingLeavesWholeFiles) {
  GenerationJob one = job("out");
  one.request.duration = 150;
  one.request.count = 2;
  std::atomic<bool> stop{false}, done{false};
  std::thread watch([&] {  // until the first codes are written: their decoding takes much longer
    while (!done && !fs::exists(out("out/model-fire-seed40.json"))) std::this_thread::yield();
    stop = true;
  });
  EXPECT_EQ(run_generation(Context{}, one, stop), GenerationOutcome::stopped);
  done = true;
  watch.join();
  const auto left = files("out");
  EXPECT_EQ(left.size(), 2U);
  EXPECT_TRUE(left.contains("model-fire-seed40.json"));
  EXPECT_EQ(read_dac(out("out/model-fire-seed40.dac")).frames, 150 * 86);
}

TEST_F(GenerationFiles, RenderingCountsAllTakesAndCanBeEnded) {
  const Codec codec = Codec::load(kTinyCodec);
  const std::vector<Take> takes{{1, make_dac(9, 300), {}}, {2, make_dac(8, 300), {}}};
  std::vector<int64_t> told;
  ASSERT_TRUE(render(codec, takes, {}, [&](int64_t frames) {
                told.push_back(frames);
                return true;
              }).has_value());
  EXPECT_TRUE(std::ranges::is_sorted(told));
  EXPECT_EQ(told.back(), 600);
  EXPECT_FALSE(render(codec, takes, {}, [](int64_t frames) { return frames < 301; }).has_value());
}

// ---- Repeating

class Repeated : public GenerationFiles {
 protected:
  /// The run in folder "first" repeated from this side-car in folder "again".
  GenerationJob repeat(const std::string& name) const {
    GenerationJob job = read_repeat(out("first/" + name));
    job.folder = out("again");
    return job;
  }
};

TEST_F(Repeated, ALoopedStereoBatchThatGoesOnGivesTheSameBytes) {
  write_dac(out("left.dac"), make_dac(9, 20));
  write_dac(out("right.dac"), make_dac(10, 20));
  GenerationJob first = job("first");
  first.format = AudioFormat::flac;
  first.request.class_name = "rain";
  first.request.parameters["rate"] = 0.7F;
  first.request.sampling = {20, 0.8F, {}};
  first.request.stereo = first.request.loop = true;
  first.request.count = 2;
  first.request.prime = {out("left.dac").string(), out("right.dac").string()};
  run(first);
  const auto made = files("first");
  EXPECT_EQ(made.size(), 2U * 5);
  EXPECT_TRUE(made.contains("model-rain-from20-loop-stereo-seed42.flac"));
  run(repeat("model-rain-from20-loop-stereo-seed42.json"));
  EXPECT_EQ(files("again"), made);
}

TEST_F(Repeated, AMorphFileIsInTheSideCar) {
  std::ofstream(out("storm.csv")) << "time,fire,rain,rate\n0,1,0,0.2\n1.5,0.3,0.7,0.9\n";
  GenerationJob first = job("first");
  first.request.duration.reset();
  first.request.morph = out("storm.csv").string();
  run(first);
  const auto described = sidecar("first/model-storm-seed40.json");
  EXPECT_EQ(described.at("duration"), 1.5) << "as long as the file";
  EXPECT_EQ(described.at("frames"), 129);
  EXPECT_EQ(described.at("class"), "") << "the file has its own";
  fs::remove(out("storm.csv"));
  run(repeat("model-storm-seed40.json"));
  EXPECT_EQ(files("again"), files("first"));
}

TEST_F(Repeated, ReadyMadeMorphsRandomPrimesAndSilence) {
  GenerationJob first = brief("first");
  first.codec.clear();
  first.request.morph = "classes";
  first.request.prime = {"random"};
  run(first);
  run(repeat("model-classes-seed40.json"));
  EXPECT_EQ(files("again"), files("first"));
}

TEST_F(Repeated, OtherFilesThanTheRunsAreRefused) {
  const fs::path codec = out("codec.pth"), model = out("model.safetensors"), prime = out("p.dac");
  fs::copy(kTinyCodec, codec);
  write_dac(prime, make_dac(9, 20));
  GenerationJob first = brief("first");
  first.codec = codec;
  first.request.prime = {prime.string()};
  run(first);
  const std::string name = "model-fire-from20-seed40.json";
  for (const fs::path& file : {codec, model, prime}) {
    fs::copy(file, out("kept"));
    {
      std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
      bytes.seekg(-200, std::ios::end);  // of a weight, of a code
      const int old = bytes.get();
      bytes.seekp(-200, std::ios::end);
      bytes.put(static_cast<char>(old ^ 1));
    }
    expect_refusal<Error>(repeat(name), {file.string()});
    fs::remove(file);
    expect_refusal<Error>(repeat(name), {file.string()});
    fs::rename(out("kept"), file);
  }
  EXPECT_FALSE(fs::exists(out("again")));
  GenerationJob moved = repeat(name);
  moved.codec = kTinyCodec;  // the same content elsewhere
  run(moved);
  EXPECT_EQ(read_text(out("again/model-fire-from20-seed40.wav")),
            read_text(out("first/model-fire-from20-seed40.wav")));
}

TEST_F(Repeated, FilesThatAreNoSideCarsAreErrors) {
  run(brief("first"));
  const auto whole = sidecar("first/model-fire-seed40.json");
  const auto expect_error = [&](const std::string& content, const std::string& part) {
    std::ofstream(out("first/x.json"), std::ios::trunc) << content;
    try {
      read_repeat(out("first/x.json"));
      ADD_FAILURE() << "no error; expected one with: " << part;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("x.json"), std::string::npos) << message;
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  };
  expect_error("", "not a side-car");
  expect_error("{}", "not a side-car");
  for (const char* key : {"model", "title", "format", "class", "parameters", "morph", "duration",
                          "top_n", "temperature", "seed", "stereo", "loop", "first_frame"}) {
    auto less = whole;
    less.erase(key);
    expect_error(less.dump(), key);
    for (const auto& wrong : {nlohmann::json(nullptr), nlohmann::json::array({1})}) {
      less[key] = wrong;
      expect_error(less.dump(), key);
    }
  }
  EXPECT_THROW(read_repeat(out("absent.json")), Error);
}

}  // namespace
}  // namespace dsf
