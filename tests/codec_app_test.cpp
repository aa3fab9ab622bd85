// dsf_codec decode as a user runs it.
#include <filesystem>
#include <fstream>

#include "engine/audio/audio_file.h"
#include "engine/codec/codec_location.h"
#include "engine/codec/dac_decoding.h"
#include "tests/codec_app.h"
#include "tests/random_codec.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::Program;

class CodecApp : public testing::CodecAppTest {
 protected:
  CodecApp() : CodecAppTest("decode") {}

  void SetUp() override {
    CodecAppTest::SetUp();
    fs::create_directories(directory_ / "in/wind/soft");
    write("in/rain.dac", 1);
    write("in/wind/gust.dac", 2);
    write("in/wind/soft/breeze.x.dac", 3);
    std::ofstream(directory_ / "in/wind/notes.txt") << "not a sound";
  }

  DacFile make_file(uint64_t seed, int64_t frames = 40) const {
    DacFile file;
    file.channels = 1;
    file.n_codebooks = config_.n_codebooks - 1;
    file.frames = frames;
    for (const int32_t code : testing::random_codes(config_, file.n_codebooks, frames, seed)) {
      file.codes.push_back(static_cast<uint16_t>(code));
    }
    file.metadata = {-18,    frames * config_.hop() - 3, config_.sample_rate, frames, 1, true,
                     "1.0.0"};
    return file;
  }
  void write(const std::string& name, uint64_t seed) const {
    write_dac(directory_ / name, make_file(seed));
  }

  const CodecConfig config_ = read_codec_weights(kWeights).config;
};

TEST_F(CodecApp, AFolderIsMirrored) {
  write("alone.dac", 4);
  expect({"in/", "alone.dac", "--output", "out", "--format", "wavfloat"}, 0,
         {"4 of 4 files", "out", "real time"});
  EXPECT_EQ(files("out"), (std::vector<std::string>{"alone.wav", "rain.wav", "wind/gust.wav",
                                                    "wind/soft/breeze.x.wav"}));
  const Audio audio = read_audio(directory_ / "out/wind/gust.wav");
  const Audio expected = decode_dac(Codec::load(kWeights), make_file(2));
  EXPECT_EQ(audio.sample_rate, expected.sample_rate);
  EXPECT_EQ(audio.samples, expected.samples);
  EXPECT_EQ(audio.frames(), 40 * config_.hop() - 3);
}

TEST_F(CodecApp, EveryFormatIsWritten) {
  const std::tuple<const char*, const char*, double> formats[] = {
      {"wav16", ".wav", 0x1p-15}, {"wav24", ".wav", 0x1p-23}, {"flac", ".flac", 0x1p-23}};
  for (const auto& [format, extension, step] : formats) {
    expect({"in/rain.dac", "--output", format, "--format", format}, 0, {"1 of 1 file to "});
    const fs::path file = directory_ / format / ("rain" + std::string(extension));
    ASSERT_TRUE(fs::exists(file)) << file;
    const Audio audio = read_audio(file);
    const Audio expected = decode_dac(Codec::load(kWeights), make_file(1));
    ASSERT_EQ(audio.frames(), expected.frames());
    for (size_t i = 0; i < audio.samples.size(); ++i) {
      ASSERT_NEAR(audio.samples[i], std::clamp(expected.samples[i], -1.0F, 1.0F), step) << i;
    }
  }
}

TEST_F(CodecApp, ABadFileIsReportedAndTheOthersAreDecoded) {
  std::ofstream(directory_ / "in/wind/broken.dac") << "\x93NUMPY garbage";
  std::ofstream(directory_ / "in/empty.dac").close();
  DacFile unknown = make_file(5);
  unknown.codes[7] = static_cast<uint16_t>(config_.codebook_size);
  write_dac(directory_ / "in/unknown.dac", unknown);
  expect({"in", "absent.dac", "--output", "out"}, 1,
         {"in/wind/broken.dac", "in/empty.dac", "absent.dac", "in/unknown.dac: code ", "frame 7",
          "decoded 3 of 7 files"});
  EXPECT_EQ(files("out"),
            (std::vector<std::string>{"rain.wav", "wind/gust.wav", "wind/soft/breeze.x.wav"}));
  // --quiet still says what is wrong, and nothing else.
  const Outcome quiet = run({"in/empty.dac", "in/rain.dac", "--output", "out", "--quiet"});
  EXPECT_EQ(quiet.exit_code, 1);
  EXPECT_NE(quiet.output.find("empty.dac"), std::string::npos) << quiet.output;
  EXPECT_EQ(std::ranges::count(quiet.output, '\n'), 1) << quiet.output;
}

TEST_F(CodecApp, FoldersWithoutFilesAreReported) {
  fs::create_directories(directory_ / "nothing/in/it");
  expect({"nothing", "in/rain.dac", "--output", "out"}, 1,
         {"nothing: no .dac files", "decoded 1 of 2 files"});
}

TEST_F(CodecApp, ShorterSoundThanAnnouncedIsSaid) {
  DacFile file = make_file(6);
  file.metadata.original_length = 1'000'000;
  write_dac(directory_ / "short.dac", file);
  expect({"short.dac", "--output", "out"}, 0,
         {"out/short.wav", fmt::format("{} of 1000000 samples", 40 * config_.hop())});
}

TEST_F(CodecApp, ClippedSamplesAreCounted) {
  DacFile file = make_file(6);
  file.metadata.input_db = 20;
  write_dac(directory_ / "loud.dac", file);
  const Audio audio = decode_dac(Codec::load(kWeights), file);
  const auto clipped =
      std::ranges::count_if(audio.samples, [](float sample) { return std::abs(sample) > 1; });
  ASSERT_GT(clipped, 0);
  expect(
      {"loud.dac", "--output", "out"}, 0,
      {fmt::format("out/loud.wav: {} of {} samples are clipped", clipped, audio.samples.size())});
  const Outcome outcome = run({"loud.dac", "--output", "out", "--format", "wavfloat"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.output.find("clipped"), std::string::npos) << outcome.output;
}

TEST_F(CodecApp, NamesOfFilesCannotSteerTheTerminal) {
  const std::string name = "a\x1b[2Jb.dac", shown = "a\\x1b[2Jb";
  write(name, 7);
  std::ofstream(directory_ / "c\x1b[2J.dac") << "no codes";
  const Outcome outcome = run({name, "c\x1b[2J.dac", "absent\n.dac", "--output", "out"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.output.find('\x1b'), std::string::npos) << outcome.output;
  for (const std::string& part : {"1/1 " + shown, std::string("c\\x1b[2J.dac: not a .dac file"),
                                  std::string("absent\\x0a.dac: cannot open")}) {
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << " in " << outcome.output;
  }
}

TEST_F(CodecApp, TwoInputsForOneOutputAreRefused) {
  write("rain.dac", 7);
  expect({"in", "rain.dac", "--output", "out"}, 2,
         {"in/rain.dac", "rain.dac would both become out/rain.wav"});
  EXPECT_FALSE(fs::exists(directory_ / "out"));
}

TEST_F(CodecApp, WithoutWeightsTheWayToThemIsSaid) {
  expect({"in", "--output", "out"}, 2,
         {"--weights", "release 0.0.1", "descriptinc/descript-audio-codec",
          ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth"},
         "");
  EXPECT_FALSE(fs::exists(directory_ / "out"));
  const fs::path cached = directory_ / ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth";
  fs::create_directories(cached.parent_path());
  fs::copy_file(kWeights, cached);
  expect({"in", "--output", "out"}, 0, {"3 of 3 files"}, "");
}

TEST_F(CodecApp, TheBundledWeightsAreTakenWithAWarningWhereThereAreNoOfficialOnes) {
  const fs::path bundled = directory_ / "data/codec/weights.pth";
  const fs::path cached = directory_ / ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth";
  expect({"in", "--output", "out"}, 2,
         {"--weights FILE", bundled.string() + " is not there", "DSF_DATA", "/data)"}, "");
  expect({"in", "--output", "out"}, 1, {"no bundled codec: " + bundled.string(), "DSF_DATA"},
         "bundled");
  expect({"in", "--output", "out"}, 1, {"no official codec weights", ".cache", "release 0.0.1"},
         "official");
  EXPECT_FALSE(fs::exists(directory_ / "out"));
  fs::create_directories(bundled.parent_path());
  fs::copy_file(kWeights, bundled);
  const std::string warning = "knows textures only";
  expect({"in", "--output", "usual"}, 0, {warning, bundled.string(), "3 of 3 files"}, "");
  Outcome outcome = run({"in", "--output", "named"}, "bundled");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(outcome.output.find(warning), std::string::npos) << outcome.output;
  EXPECT_EQ(testing::read_text(directory_ / "usual/rain.wav"),
            testing::read_text(directory_ / "named/rain.wav"));
  // The official ones go before.
  fs::create_directories(cached.parent_path());
  std::ofstream(cached) << "no weights";
  for (const char* weights : {"", "official"}) {
    outcome = run({"in", "--output", "other"}, weights);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
    EXPECT_NE(outcome.output.find(cached.string()), std::string::npos) << outcome.output;
  }
}

TEST_F(CodecApp, AHomeThatCannotBeReadHoldsNoWeights) {
  const fs::path loop = directory_ / "home";
  fs::create_symlink(loop, loop);
  const Outcome outcome = Program(directory_, {"dsf_codec", "decode", "in", "--output", "out"},
                                  {{"HOME", loop.string()}, {"DSF_DATA", loop.string()}})
                              .wait();
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("no codec weights"), std::string::npos) << outcome.output;
}

TEST_F(CodecApp, UnusableWeightsAreErrors) {
  expect({"in", "--output", "out"}, 1, {"absent.pth"}, "absent.pth");
  const std::string whole = testing::read_text(kWeights);
  for (const size_t size : {size_t{0}, size_t{10}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(directory_ / "cut.pth", std::ios::binary) << whole.substr(0, size);
    expect({"in", "--output", "out"}, 1, {"cut.pth"}, "cut.pth");
  }
  expect({"in", "--output", "out"}, 1, {"rain.dac"}, "in/rain.dac");
}

TEST_F(CodecApp, AnOutputFolderThatCannotBeWrittenIsAnError) {
  // /proc takes no files, not even root's.
  expect({"in", "--output", "/proc/sounds"}, 1, {"/proc/sounds"});
  expect({"in/rain.dac", "--output", "/proc"}, 1, {"/proc"});
  std::ofstream(directory_ / "file") << "in the way";
  expect({"in", "--output", "file"}, 1, {"file"});
}

TEST_F(CodecApp, AReadOnlyOutputFolderIsAnErrorBeforeAnythingIsDecoded) {
  fs::create_directories(directory_ / "locked");
  fs::permissions(directory_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  expect({"in", "--output", "locked"}, 1, {"locked: cannot write"}, kWeights,
         testing::Rights::users);
  EXPECT_TRUE(fs::is_empty(directory_ / "locked"));
}

// A file of a size limit stands for a full disk: writes past it fail as they do there.
TEST_F(CodecApp, AFullDiskLeavesTheOldFile) {
  ASSERT_EQ(run({"in/rain.dac", "--output", "out"}).exit_code, 0);
  const std::string before = testing::read_text(directory_ / "out/rain.wav");
  write_dac(directory_ / "in/rain.dac", make_file(8, 1000));
  const std::string command = fmt::format(
      "cd '{}' && trap '' XFSZ && ulimit -f 8 && exec '{}/dsf_codec' decode in/rain.dac "
      "--output out --weights '{}' >full.log 2>&1",
      directory_.string(), DSF_BINARY_DIR, kWeights);
  const int status = std::system(("bash -c \"" + command + "\"").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  const std::string output = testing::read_text(directory_ / "full.log");
  EXPECT_NE(output.find("out/rain.wav: cannot write its temporary file"), std::string::npos)
      << output;
  EXPECT_EQ(testing::read_text(directory_ / "out/rain.wav"), before);
  EXPECT_EQ(files("out"), std::vector<std::string>{"rain.wav"});
}

TEST_F(CodecApp, InterruptedItLeavesWholeFilesOnly) {
  write_dac(directory_ / "long.dac", make_file(9, 400'000));  // minutes of work
  Program program(directory_, {"dsf_codec", "decode", "in/rain.dac", "long.dac", "--output", "out",
                               "--weights", kWeights});
  for (int i = 0; i < 3000 && !fs::exists(directory_ / "out/rain.wav"); ++i) usleep(10'000);
  program.interrupt();
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_EQ(files("out"), std::vector<std::string>{"rain.wav"});
}

// All is decoded, and takes a while to be written, at a high rate and as FLAC.
TEST_F(CodecApp, InterruptedWhileItWritesItLeavesNothing) {
  DacFile file = make_file(9, 5000);
  file.metadata.sample_rate = 600'000;  // that FLAC can have
  file.metadata.original_length = int64_t{1} << 40;
  write_dac(directory_ / "long.dac", file);
  Program program(directory_, {"dsf_codec", "decode", "long.dac", "--output", "out", "--format",
                               "flac", "--weights", kWeights});
  const auto is_decoded = [&] {
    return testing::read_text(directory_ / "program.log").find("100 %") != std::string::npos;
  };
  for (int i = 0; i < 3000 && !is_decoded(); ++i) usleep(10'000);
  program.interrupt();
  const Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.output;
  EXPECT_TRUE(files("out").empty());
}

TEST_F(CodecApp, MisuseIsExplained) {
  expect({"in", "--output", "out", "--device", "cuda"}, 2, {"cuda", "cpu"});
  expect({"in", "--output", "out", "--convolutions", "cudnn"}, 2, {"--device cuda only"});
  expect({"in", "--output", "out", "--device", "cuda", "--convolutions", "no"}, 2,
         {"own or cudnn"});
  expect({"in", "--output", "out", "--format", "mp3"}, 2, {"mp3", "wav16", "flac"});
  expect({"in"}, 2, {"--output"});
  expect({"--output", "out"}, 2, {"INPUT"});
  const auto exit_code = [&](const std::vector<std::string>& words) {
    return Program(directory_, words).wait().exit_code;
  };
  EXPECT_EQ(exit_code({"dsf_codec"}), 2);
  EXPECT_EQ(exit_code({"dsf_codec", "unheard-of"}), 2);
  EXPECT_EQ(exit_code({"dsf_codec", "--help"}), 0);
  EXPECT_EQ(exit_code({"dsf_codec", "decode", "--help"}), 0);
  EXPECT_EQ(exit_code({"dsf_codec", "--version"}), 0);
}

}  // namespace
}  // namespace dsf
