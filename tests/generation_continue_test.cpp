// Going on: chains of runs are one long run, and no file is lost on the way.
#include <fmt/format.h>

#include "engine/generation/generator.h"
#include "engine/generation/prime.h"
#include "engine/generation/repeat.h"
#include "engine/generation/sidecar.h"
#include "tests/generation_run.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::GenerationRunTest;
using testing::read_text;

/// A class, and its codebooks' delay.
using Kind = std::pair<ModelClass, int64_t>;

class ContinuedRun : public GenerationRunTest, public ::testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    GenerationRunTest::SetUp();
    make_model(GetParam().first, 64, 4, "", GetParam().second);
  }
  GenerationJob silent(const std::string& folder, int64_t frames, int64_t top_n = 64) const {
    GenerationJob one = job(folder);
    one.codec.clear();
    one.request.sampling.top_n = top_n;
    one.request.duration = static_cast<double>(frames) / 86;
    return one;
  }
  /// Runs of these lengths, each going on from the one before, in one folder. Gives the codes of
  /// their files joined, [N][frames].
  std::vector<std::vector<uint16_t>> chain(GenerationJob one, const std::vector<int64_t>& lengths) {
    std::vector<std::vector<uint16_t>> codes(4);
    int64_t begin = 0;
    for (const int64_t length : lengths) {
      one.request.duration = static_cast<double>(length) / 86;
      run(one);
      const fs::path file =
          one.folder / (begin == 0 ? "model-fire-seed40.dac"
                                   : fmt::format("model-fire-from{}-seed40.dac", begin));
      append(codes, read_dac(file));
      one.request.prime = {file.string()};
      begin += length;
    }
    return codes;
  }
  static void append(std::vector<std::vector<uint16_t>>& codes, const DacFile& file) {
    for (int64_t n = 0; n < 4; ++n) {
      const auto row = file.codes.begin() + n * file.frames;
      codes[static_cast<size_t>(n)].insert(codes[static_cast<size_t>(n)].end(), row,
                                           row + file.frames);
    }
  }
  /// What the first frame after these, [frames, N], is drawn from.
  std::vector<float> first_logits(const std::vector<int32_t>& frames) const {
    Learner learner(config_, 1, 1e-3F, 5);  // make_model's
    const auto count = static_cast<int64_t>(frames.size()) / config_.num_codebooks;
    const auto generator =
        make_generator(config_, learner.model().table(), learner.model().weights(), {},
                       {frames.data(), {count, config_.num_codebooks}});
    const std::vector<float> cond{1, 0, 0.5F};
    generator->next(cond.data());
    const ConstTensor logits = generator->logits();
    return {logits.data, logits.data + logits.size()};
  }
  std::vector<std::vector<uint16_t>> whole(int64_t frames, int64_t top_n = 64) {
    run(silent("whole", frames, top_n));
    std::vector<std::vector<uint16_t>> codes(4);
    append(codes, read_dac(out("whole/model-fire-seed40.dac")));
    fs::remove_all(out("whole"));
    return codes;
  }
};

TEST_P(ContinuedRun, ThreeLinksAreTheUninterruptedRun) {
  for (const int64_t top_n : {1, 64}) {
    const std::string folder = fmt::format("chain{}", top_n);
    EXPECT_EQ(chain(silent(folder, 40, top_n), {40, 40, 40}), whole(120, top_n)) << top_n;
    EXPECT_EQ(std::distance(fs::directory_iterator(out(folder)), {}), 3 * 3) << "nothing lost";
  }
  const auto described = sidecar("chain64/model-fire-from80-seed40.json");
  EXPECT_EQ(described.at("first_frame"), 80);
  EXPECT_EQ(described.at("next_frame"), 120);
  EXPECT_EQ(described.at("prime").at("from").at(0).at("file"),
            out("chain64/model-fire-from40-seed40.dac").string());
}

TEST_P(ContinuedRun, LinksShorterThanTheModelsMemoryAreToo) {
  EXPECT_EQ(chain(silent("chain", 40), {20, 3, 4, 2, 30}), whole(59));
}

// A chain's last file, or the last two, of one frame less than the model reaches: the one before
// them still counts. A draw may hide what is missing, the logits show it.
TEST_P(ContinuedRun, LinksAsLongAsTheModelsMemoryAreToo) {
  const int64_t last_ones = config_.num_layers * config_.lookback + config_.codebook_lag();
  for (const std::vector<int64_t>& before :
       {std::vector<int64_t>{20, last_ones}, {20, 10, last_ones - 10}}) {
    const int64_t frames_before = 20 + last_ones;
    const std::string folder = fmt::format("chain{}", before.size());
    const auto all = chain(silent(folder, 40), before);
    const std::string last =
        out(fmt::format("{}/model-fire-from{}-seed40.dac", folder, frames_before - before.back()))
            .string();
    const PrimeSources prime = read_prime({last}, config_, 1);
    std::vector<int32_t> frames;
    for (size_t t = 0; t < static_cast<size_t>(frames_before); ++t) {
      for (const auto& codebook : all) frames.push_back(codebook[t]);
    }
    EXPECT_EQ(first_logits(prime.codes.front()), first_logits(frames)) << folder;

    std::vector<int64_t> lengths = before;
    lengths.push_back(20);
    EXPECT_EQ(chain(silent(folder + "whole", 40), lengths), whole(frames_before + 20)) << folder;
  }
}

TEST_P(ContinuedRun, GoesOnWithoutItsPast) {
  chain(silent("chain", 40), {20, 20});
  fs::remove(out("chain/model-fire-seed40.dac"));  // only frames beyond the model's memory are lost
  GenerationJob last = silent("chain", 20);
  last.request.prime = {out("chain/model-fire-from20-seed40.dac").string()};
  run(last);
  const DacFile codes = read_dac(out("chain/model-fire-from40-seed40.dac"));
  const auto all = whole(60);
  for (size_t n = 0; n < 4; ++n) {
    const std::vector<uint16_t> expected(all[n].begin() + 40, all[n].end());
    const auto row = codes.codes.begin() + static_cast<int64_t>(n) * 20;
    EXPECT_EQ(std::vector<uint16_t>(row, row + 20), expected) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, ContinuedRun,
                         ::testing::Values(Kind{ModelClass::streaming, 0},
                                           Kind{ModelClass::streaming, 1},
                                           Kind{ModelClass::rope_concat, 0}));

TEST_F(GenerationRunTest, DelayedCodebooksAreRepeatedInLoopsAndBatches) {
  make_model(ModelClass::streaming, 64, 4, "", 1);
  GenerationJob first = job("first");
  first.request.stereo = first.request.loop = true;
  first.request.morph = "sweep";
  first.request.count = 2;
  run(first);
  for (const char* seed : {"40", "42"}) {
    const std::string name = fmt::format("model-sweep-loop-stereo-seed{}", seed);
    GenerationJob again = read_repeat(out("first/" + name + ".json"));
    again.folder = out("again");
    run(again);
    for (const char* end : {".wav", "-left.dac", "-right.dac"}) {
      EXPECT_EQ(read_text(out("again/" + name + end)), read_text(out("first/" + name + end)))
          << name << end;
    }
  }
}

TEST_F(GenerationRunTest, TheChannelsOfAChainAreTheLongRuns) {
  GenerationJob part = job("chain");
  part.request.stereo = true;
  part.request.duration = 10.0 / 86;
  run(part);
  for (const char* from : {"", "-from10"}) {
    const std::string name = fmt::format("chain/model-fire{}-stereo-seed40", from);
    part.request.prime = {out(name + "-left.dac").string(), out(name + "-right.dac").string()};
    run(part);
  }
  GenerationJob whole = job("whole");
  whole.request.stereo = true;
  whole.request.duration = 30.0 / 86;
  run(whole);
  for (const char* channel : {"left", "right"}) {
    const DacFile all =
        read_dac(out(fmt::format("whole/model-fire-stereo-seed40-{}.dac", channel)));
    const DacFile last =
        read_dac(out(fmt::format("chain/model-fire-from20-stereo-seed40-{}.dac", channel)));
    for (size_t n = 0; n < 4; ++n) {
      for (size_t t = 0; t < 10; ++t) {
        ASSERT_EQ(last.codes[n * 10 + t], all.codes[n * 30 + 20 + t]) << channel << ' ' << t;
      }
    }
  }
}

TEST_F(GenerationRunTest, GoesOnUnderTheConditioningOfTheFile) {
  std::string warning;
  GenerationJob first = job("chain");
  first.codec.clear();
  first.warn = [&](const std::string& text) {
    if (!text.starts_with("no sound")) warning = text;
  };
  first.request.class_name = "rain";
  first.request.parameters = {{"rate", 0.25F}};
  first.request.duration = 20.0 / 86;
  run(first);
  GenerationJob second = first;
  second.request.class_name.clear();
  second.request.parameters.clear();
  second.request.prime = {out("chain/model-rain-seed40.dac").string()};
  run(second);
  EXPECT_EQ(warning, "");
  GenerationJob whole = first;
  whole.folder = out("whole");
  whole.request.duration = 40.0 / 86;
  run(whole);
  const DacFile all = read_dac(out("whole/model-rain-seed40.dac"));
  const DacFile last = read_dac(out("chain/model-rain-from20-seed40.dac"));
  for (size_t n = 0; n < 4; ++n) {
    for (size_t t = 0; t < 20; ++t) EXPECT_EQ(last.codes[n * 20 + t], all.codes[n * 40 + 20 + t]);
  }
  const auto described = sidecar("chain/model-rain-from20-seed40.json");
  EXPECT_EQ(described.at("class"), "rain");
  EXPECT_EQ(described.at("parameters"), nlohmann::json({{"rate", 0.25}}));
  // What is given on the command line holds.
  GenerationJob other = second;
  other.request.parameters = {{"rate", 1}};
  run(other);
  EXPECT_TRUE(fs::exists(out("chain/model-fire-from20-seed40.dac")));
}

TEST_F(GenerationRunTest, GoesOnUnderTheDefaultWhereTheFilesIsNoneToGoOnUnder) {
  std::string warning;
  GenerationJob moved = job("chain");
  moved.codec.clear();
  moved.warn = [&](const std::string& text) {
    if (!text.starts_with("no sound")) warning = text;
  };
  moved.request.morph = "sweep";
  moved.request.class_name = "rain";
  run(moved);
  GenerationJob second = moved;
  second.request.morph = "constant";
  second.request.class_name.clear();
  second.request.prime = {out("chain/model-sweep-seed40.dac").string()};
  run(second);
  EXPECT_EQ(warning, out("chain/model-sweep-seed40.json").string() +
                         " was made with --morph sweep; going on under class fire, rate=0.5");
  EXPECT_TRUE(fs::exists(out("chain/model-fire-from86-seed40.dac")));

  const auto stated = [&](const char* name, const std::string& fields) {
    write_dac(out(std::string(name) + ".dac"), make_dac(9, 20));
    std::ofstream(out(std::string(name) + ".json"))
        << R"({"dsf_version": "0.1.0", "frames": 20, "loop": false, "next_frame": 20, )" << fields
        << R"("morph": "constant"})";
    return out(std::string(name) + ".dac").string();
  };
  const std::string rain = stated("rain", R"("class": "rain", "parameters": {}, )");
  second.request.prime = {stated("sea", R"("class": "sea", "parameters": {}, )")};
  run(second);
  EXPECT_NE(warning.find("has the class 'sea', which is not the model's"), std::string::npos);
  second.request.prime = {stated("heat", R"("class": "rain", "parameters": {"heat": 1}, )")};
  run(second);
  EXPECT_NE(warning.find("has the parameter 'heat'"), std::string::npos) << warning;
  second.request.stereo = true;
  second.request.prime = {rain, stated("fire", R"("class": "fire", "parameters": {}, )")};
  run(second);
  EXPECT_NE(warning.find("rain.json states another conditioning"), std::string::npos) << warning;
  warning.clear();
  second.request.prime = {rain, stated("more", R"("class": "rain", "parameters": {}, )")};
  run(second);
  EXPECT_EQ(warning, "");
  second.request.prime = {rain, rain};
  run(second);
  EXPECT_EQ(warning, "");
  EXPECT_TRUE(fs::exists(out("chain/model-rain-from20-stereo-seed40-left.dac")));
}

TEST_F(GenerationRunTest, AFileOfNoSideCarIsTheBeginning) {
  const DacFile file = make_dac(9, 20);
  write_dac(out("a.dac"), file);
  const auto first_frame = [&] {
    return read_prime({out("a.dac").string()}, config_, 1).first_frame;
  };
  EXPECT_EQ(first_frame(), 20);
  const std::string fields = R"("dsf_version": "0.1.0", "loop": false, "next_frame": 70)";
  const auto write = [&](const std::string& json) { std::ofstream(out("a.json")) << json; };
  write("{" + fields + R"(, "frames": 20})");
  EXPECT_EQ(first_frame(), 70);
  write("{" + fields + R"(, "frames": 21})");
  EXPECT_EQ(first_frame(), 20) << "the side-car is of another file";
  write("[1, 2]");
  EXPECT_EQ(first_frame(), 20) << "the .json is none of ours";
  // Small files that would fill the stack, or the memory, of whoever took them for ours.
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  std::string many = "0";
  for (int i = 0; i < 1'000'000; ++i) many += ",0";
  for (const std::string& value : {deep, "[" + many + "]"}) {
    write("{" + fields + R"(, "frames": 20, "title": )" + value + "}");
    EXPECT_EQ(first_frame(), 20) << "no side-car is such";
    EXPECT_FALSE(describes(out("a.json"), {{"dsf_version", "0.1.0"}}));
    EXPECT_TRUE(read_sidecar(out("a.json")).is_null());
  }
  for (const char* wrong :
       {R"("next_frame": -1)", R"("next_frame": 1e300)", R"("next_frame": "x")",
        R"("next_frame": 70, "loop": false, "prime": [])",
        R"("next_frame": 70, "loop": false, "prime": {"from": [{"file": 3}]})"}) {
    write(std::string(R"({"dsf_version": "0.1.0", "frames": 20, )") + wrong + "}");
    try {
      first_frame();
      ADD_FAILURE() << "no error: " << wrong;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("a.json"), std::string::npos) << error.what();
    }
  }
}

TEST_F(GenerationRunTest, WhatIsGoneOnFromIsNeverWrittenTo) {
  GenerationJob one = job("out");
  fs::create_directories(out("out"));
  write_dac(out("out/model-fire-from20-seed40.dac"), make_dac(9, 20));
  const std::string before = read_text(out("out/model-fire-from20-seed40.dac"));
  one.request.prime = {out("out/../out/model-fire-from20-seed40.dac").string()};
  run(one);
  EXPECT_EQ(read_text(out("out/model-fire-from20-seed40.dac")), before);
  EXPECT_TRUE(fs::exists(out("out/model-fire-from20-seed40-2.dac")));
  EXPECT_TRUE(fs::exists(out("out/model-fire-from20-seed40-2.wav")));
  // Not even where the side-car beside it describes this very run.
  fs::copy(out("out/model-fire-from20-seed40-2.json"), out("out/model-fire-from20-seed40.json"));
  run(one);
  EXPECT_EQ(read_text(out("out/model-fire-from20-seed40.dac")), before);
}

TEST_F(GenerationRunTest, RandomPrimesDifferFromNoneAndByTheirSeeds) {
  const auto codes = [&](const std::vector<std::string>& prime, uint64_t seed) {
    GenerationJob one = job("primed");
    fs::remove_all(one.folder);
    one.codec.clear();
    one.request.seed = seed;
    one.request.sampling.top_n = 1;  // so that nothing but the prime can make a difference
    one.request.prime = prime;
    run(one);
    return read_dac(out(fmt::format("primed/model-fire-seed{}.dac", seed))).codes;
  };
  const auto none = codes({}, 40);
  EXPECT_EQ(codes({"none"}, 40), none);
  EXPECT_EQ(codes({"none"}, 41), none);
  EXPECT_NE(codes({"random"}, 40), none);
  EXPECT_NE(codes({"random"}, 40), codes({"random"}, 41));
}

TEST_F(GenerationRunTest, EachChannelCanContinueItsOwnFile) {
  const DacFile left = make_dac(9, 20), right = make_dac(10, 20, 50);
  write_dac(out("left.dac"), left);
  write_dac(out("right.dac"), right);
  GenerationJob stereo = job("stereo");
  stereo.request.stereo = true;
  stereo.request.sampling.top_n = 1;
  stereo.request.prime = {out("left.dac").string(), out("right.dac").string()};
  run(stereo);
  for (const char* channel : {"left", "right"}) {
    GenerationJob mono = job(channel);
    mono.request.sampling.top_n = 1;
    mono.request.prime = {out(std::string(channel) + ".dac").string()};
    run(mono);
    EXPECT_EQ(read_dac(out(fmt::format("stereo/model-fire-from20-stereo-seed40-{}.dac", channel))),
              read_dac(out(fmt::format("{}/model-fire-from20-seed40.dac", channel))));
  }
  write_dac(out("right.dac"), make_dac(9, 21));
  expect_refusal<Error>(stereo, {"left.dac", "20", "right.dac", "21"});
}

TEST_F(GenerationRunTest, OfMoreCodebooksTheModelsAreContinued) {
  DacFile file = make_dac(9, 20, 64, 9);
  write_dac(out("four.dac"), make_dac(9, 20));
  std::fill(file.codes.begin() + 4 * 20, file.codes.end(), uint16_t{1000});  // none of the model's
  write_dac(out("nine.dac"), file);
  const auto frames = [&](const char* name) {
    return read_prime({out(name).string()}, config_, 1).codes;
  };
  EXPECT_EQ(frames("nine.dac"), frames("four.dac"));
}

TEST_F(GenerationRunTest, PrimesThatCannotBeContinuedAreRefused) {
  GenerationJob one = job("refused");
  const auto primed = [&](const std::vector<std::string>& prime) {
    one.request.prime = prime;
    return one;
  };
  const std::string file = out("prime.dac").string();
  write_dac(file, make_dac(9, 20, 1024));
  expect_refusal<Error>(primed({file}), {"prime.dac", "code ", "0 … 63"});
  write_dac(file, make_dac(9, 20, 64, 3));
  expect_refusal<Error>(primed({file}), {"prime.dac", "3 codebooks", "4"});
  std::ofstream(file, std::ios::trunc) << "no codes";
  expect_refusal<Error>(primed({file}), {"prime.dac"});
  expect_refusal<Error>(primed({out("absent.dac").string()}), {"absent.dac"});
  write_dac(file, make_dac(9, 20));
  expect_refusal<UsageError>(primed({file, file}), {"2 times", "1 channel"});
  one.request.stereo = true;
  expect_refusal<UsageError>(primed({file, "random"}), {"random", "alone"});
  one.request.stereo = false;

  make_model(ModelClass::rope_concat);
  expect_refusal<UsageError>(primed({"none"}), {"none", "RopeCondDACTransformer", "random"});
  write_dac(file, make_dac(9, 7));
  expect_refusal<Error>(primed({file}), {"prime.dac", "7 frames", "8"});
  EXPECT_FALSE(fs::exists(out("refused"))) << "nothing was written";
}

}  // namespace
}  // namespace dsf
