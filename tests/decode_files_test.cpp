// Files to files, in this process: what their lengths cost.
#include "engine/codec/decode_files.h"

#include <gtest/gtest.h>

#include "engine/files/dac_file.h"
#include "tests/files_support.h"
#include "tests/random_codec.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::random_codes;
using testing::RandomCodec;
using testing::small_codec;

class DecodeFiles : public files_test::FilesTest {
 protected:
  /// A file of two channels, in chunks of `chunk` frames.
  fs::path write_file(const std::string& name, int64_t frames, int64_t chunk) const {
    DacFile file;
    file.channels = 2;
    file.n_codebooks = 1;
    file.frames = frames;
    const std::vector<int32_t> codes = random_codes(codec_.config(), 2, frames);
    file.codes.assign(codes.begin(), codes.end());
    file.metadata = {-20, frames * codec_.config().hop(), 11025, chunk, 2, true, "1.0.0"};
    write_dac(path(name), file);
    return path(name);
  }
  void decode(const fs::path& file) const {
    const DecodeSummary summary = decode_files(
        codec_, {{file}, path("out"), AudioFormat::wav16, Progress::Style::quiet},
        [](const std::string& text) { ADD_FAILURE() << text; }, false);
    EXPECT_EQ(summary.decoded, 1);
  }

  Codec codec_{RandomCodec(small_codec({8, 8, 4}, 8)).weights()};
};

TEST_F(DecodeFiles, LongSoundTakesNoMoreMemoryThanShort) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: sanitizers keep what is freed, and memory of their own";
#endif
  constexpr uint64_t kMegabytes = 1 << 20;
  constexpr int64_t kLong = 8000;  // 16 MiB of float samples
  for (const int64_t chunk : {int64_t{300}, kLong}) {
    decode(write_file("short.dac", 1000, std::min<int64_t>(chunk, 1000)));  // what stays allocated
    const fs::path file = write_file("long.dac", kLong, chunk);
    EXPECT_LT(files_test::peak_growth([&] { decode(file); }), 8 * kMegabytes) << chunk;
    EXPECT_EQ(fs::file_size(path("out/long.wav")), 44 + 4 * kLong * codec_.config().hop());
  }
}

}  // namespace
}  // namespace dsf
