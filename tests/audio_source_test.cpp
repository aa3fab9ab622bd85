// Sound files of all kinds, read part by part.
#include "engine/audio/audio_source.h"

#include <gtest/gtest.h>
#include <sndfile.h>

#include "tests/files_support.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using files_test::error_of;

constexpr int64_t kFrames = 150000;

struct Kind {
  const char* name;
  int format;
  const char* end;  // what is said of one that was cut off; FLAC's decoder may have its own word
};

constexpr const char* kHeader = " bytes before its header says";
const Kind kKinds[] = {
    {"pcm.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, kHeader},
    {"float.wav", SF_FORMAT_WAVEX | SF_FORMAT_FLOAT, kHeader},
    {"ima.wav", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, kHeader},
    {"ms.wav", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, kHeader},
    {"rifx.wav", SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_16, kHeader},
    {"rf64.wav", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, kHeader},
    {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, kHeader},
    {"big.au", SF_FORMAT_AU | SF_FORMAT_PCM_16, kHeader},
    {"little.au", SF_FORMAT_AU | SF_ENDIAN_LITTLE | SF_FORMAT_PCM_16, kHeader},
    {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "after frame"},
    {"a.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, ", its header announces 150000"},
    {"a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, ", without the page that ends it"},
    {"a.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS, ", without the page that ends it"},
};

class AudioSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / fmt::format("dsf_source_{}_{}", test->name(), ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A file with a sound that no codec makes small.
  fs::path write(const Kind& kind, int channels = 1, int64_t frames = kFrames) {
    const fs::path path = folder_ / kind.name;
    SF_INFO info{};
    info.samplerate = 48000;
    info.channels = channels;
    info.format = kind.format;
    SNDFILE* const file = sf_open(path.c_str(), SFM_WRITE, &info);
    EXPECT_NE(file, nullptr) << kind.name << ": " << sf_strerror(nullptr);
    std::vector<float> samples(static_cast<size_t>(frames * channels));
    uint32_t noise = 1;
    for (float& sample : samples) {
      noise = noise * 1664525U + 1013904223U;
      sample = static_cast<float>(noise >> 8U) / 16777216.0F * 0.4F - 0.2F;
    }
    EXPECT_EQ(sf_writef_float(file, samples.data(), frames), frames);
    sf_close(file);
    return path;
  }
  /// The same bytes but for those from `offset` on.
  static void overwrite(const fs::path& path, size_t offset, const std::string& bytes) {
    std::string content = files_test::bytes_of(path);
    ASSERT_LE(offset + bytes.size(), content.size());
    std::ofstream(path, std::ios::binary) << content.replace(offset, bytes.size(), bytes);
  }

  fs::path folder_;
};

/// All frames.
int64_t count_frames(AudioSource& source) {
  int64_t frames = 0;
  for (auto part = source.read(7000); !part.empty(); part = source.read(7000)) {
    frames += std::ssize(part) / source.channels();
  }
  return frames;
}

/// Frames of a file, read twice as the encoder does it.
int64_t read_twice(const fs::path& path) {
  AudioFileSource source(path);
  const int64_t frames = count_frames(source);
  source.rewind();
  EXPECT_EQ(count_frames(source), frames) << path;
  return frames;
}

TEST_F(AudioSourceTest, CutFilesAreErrors) {
  for (const Kind& kind : kKinds) {
    const fs::path path = write(kind);
    EXPECT_GE(read_twice(path), kFrames) << kind.name;  // some kinds fill up a block
    fs::resize_file(path, fs::file_size(path) * 6 / 10);
    const std::string error = error_of([&] { read_twice(path); });
    EXPECT_TRUE(error.starts_with(path.string() + ": ")) << error;
    EXPECT_NE(error.find(kind.end), std::string::npos) << error;
  }
  // A byte is enough.
  const fs::path path = write(kKinds[0]);
  fs::resize_file(path, fs::file_size(path) - 1);
  EXPECT_EQ(error_of([&] { read_twice(path); }),
            path.string() + ": ends 1 byte before its header says: it is not all there");
  for (const Kind& kind : {kKinds[11], kKinds[12]}) {
    const fs::path ogg = write(kind);
    fs::resize_file(ogg, fs::file_size(ogg) - 1);
    EXPECT_NE(error_of([&] { read_twice(ogg); }).find(kind.end), std::string::npos) << kind.name;
    const fs::path pages = write(kind);
    fs::resize_file(pages, files_test::bytes_of(pages).rfind("OggS"));
    EXPECT_NE(error_of([&] { read_twice(pages); }).find(kind.end), std::string::npos) << kind.name;
  }
}

// As programs write them to a pipe.
TEST_F(AudioSourceTest, LengthsMayBeUnknown) {
  for (const std::string& size : {"\xFF\xFF\xFF\xFF"s, "\x00\xF0\xFF\x7F"s, "\xDB\xFF\xFF\xFF"s}) {
    const fs::path path = write(kKinds[0]);
    overwrite(path, 4, size);
    overwrite(path, 40, size);
    EXPECT_EQ(read_twice(path), kFrames);
  }
  const fs::path au = write(kKinds[7]);
  overwrite(au, 8, "\xFF\xFF\xFF\xFF");
  EXPECT_EQ(read_twice(au), kFrames);
}

TEST_F(AudioSourceTest, AFlacNeedNotStateItsLength) {
  const fs::path path = write(kKinds[9]);
  EXPECT_EQ(AudioFileSource(path).announced_frames(), kFrames);
  // The last 36 of the bits that begin with the sample rate, behind 18 bytes.
  std::string fields = files_test::bytes_of(path).substr(18, 8);
  fields.replace(4, 4, 4, '\0');
  fields[3] = static_cast<char>(fields[3] & 0xF0);
  overwrite(path, 18, fields);
  EXPECT_EQ(read_twice(path), kFrames);
  EXPECT_EQ(AudioFileSource(path).announced_frames(), 0);
}

// A FLAC's largest is the longest that can be meant.
TEST_F(AudioSourceTest, AnnouncedLengthsAreBounded) {
  const fs::path flac = write(kKinds[9]);
  std::string fields = files_test::bytes_of(flac).substr(18, 8);
  fields.replace(4, 4, 4, '\xFF');
  fields[3] = static_cast<char>(fields[3] | 0x0F);
  overwrite(flac, 18, fields);
  EXPECT_EQ(AudioFileSource(flac).announced_frames(), (int64_t{1} << 36) - 1);
  const fs::path ogg = write(kKinds[11]);
  fs::resize_file(ogg, fs::file_size(ogg) / 2);
  EXPECT_EQ(AudioFileSource(ogg).announced_frames(), 0);
}

TEST_F(AudioSourceTest, ChannelsThatAreNotThereTakeNoMemory) {
  const fs::path path = write(kKinds[0], 1000, 3);
  constexpr uint64_t kMegabytes = 1 << 20;
  const auto read = [&] { EXPECT_EQ(AudioFileSource(path).read(65536).size(), 3000U); };
  EXPECT_LT(files_test::peak_growth(read), 16 * kMegabytes);
}

}  // namespace
}  // namespace dsf
