// .dac files: round trips, numpy's own bytes, real files, and files that are none.
#include "engine/files/dac_file.h"

#include <cmath>

#include "tests/files_support.h"

namespace dsf::files_test {
namespace {

const fs::path kNumpy = kData / "dac/numpy2.dac";  // by numpy 2.4, protocol 4; see kExpected

class Dac : public FilesTest {
 protected:
  static void read(const fs::path& file) { read_dac(file); }
  void refuse(const std::string& bytes, const std::string& part) const {
    expect_refused(read, bytes, part);
  }
};

/// The content of kNumpy: codes 0, 37, 74 … modulo 1024.
DacFile example() {
  DacFile file;
  file.channels = 1;
  file.n_codebooks = 4;
  file.frames = 7;
  for (int i = 0; i < 28; ++i) file.codes.push_back(static_cast<uint16_t>(i * 37 % 1024));
  file.metadata = {-21.25F, 3584, 44100, 7, 1, true, "1.0.0"};
  return file;
}

TEST_F(Dac, RoundTrip) {
  std::vector<DacFile> files = {example(), example(), example()};
  files[1].channels = files[1].metadata.channels = 2;
  files[1].n_codebooks = 2;
  files[1].codes[3] = 65535;
  files[1].metadata.padding = false;
  files[1].metadata.original_length = int64_t{1} << 40;
  files[2].frames = 700;  // long enough for the other opcodes
  files[2].codes.assign(2800, 255);
  files[2].metadata.chunk_length = 86;
  for (const DacFile& file : files) {
    write_dac(path("a"), file);
    EXPECT_EQ(read_dac(path("a")), file);
    write_dac(path("b"), read_dac(path("a")));
    EXPECT_EQ(bytes_of(path("a")), bytes_of(path("b")));
  }
}

// numpy 2 writes protocol 4 and names its new module, numpy._core.
TEST_F(Dac, ReadsNumpys) {
  expect_contains(bytes_of(kNumpy), "numpy._core.multiarray");
  EXPECT_EQ(read_dac(kNumpy), example());
}

TEST_F(Dac, WritesAHeaderOf128BytesAndTheOldModuleName) {
  write_dac(path(), example());
  const std::string bytes = bytes_of(path());
  EXPECT_EQ(bytes.substr(0, 128), bytes_of(kNumpy).substr(0, 128));
  EXPECT_EQ(bytes.substr(128, 26),
            "\x80\x03"
            "cnumpy.core.multiarray\n_");
}

// What `dac` wrote is read, and written again to the same bytes: ours is its format exactly.
TEST_F(Dac, RewritesRealFilesToTheSameBytes) {
  const fs::path folder = fs::path(DSF_SOURCE_DIR) / "../shared/upstream_data";
  if (!fs::exists(folder)) GTEST_SKIP() << "SKIPPED: no " << folder;
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".dac") continue;
    const DacFile file = read_dac(entry.path());
    EXPECT_EQ(file.metadata.sample_rate, 44100) << entry.path();
    write_dac(path(), file);
    EXPECT_EQ(read_dac(path()), file) << entry.path();
    EXPECT_EQ(bytes_of(path()), bytes_of(entry.path())) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 24);
}

TEST_F(Dac, RefusesWhatIsNone) {
  expect_refuses_no_file(read);
  const std::string good = bytes_of(kNumpy);
  refuse("", "not a .dac file: no numpy array of version 1.0");
  refuse("RIFF" + good, "not a .dac file: no numpy array of version 1.0");
  refuse(replaced(good, "NUMPY\x01"s, "NUMPY\x02"s), "no numpy array of version 1.0");
  refuse(good.substr(0, 9), "it ends after 9 bytes");
  refuse(good.substr(0, 100), "a header of 118 bytes, the file has 100");
  refuse(replaced(good, "v\0{"s, "\xFF\xFF{"), "a header of 65535 bytes, the file has 606");
  refuse(replaced(good, "'|O'", "'<f4'"), "its array is '{'descr': '<f4', 'fortran_order'");
  refuse(replaced(good, "()", "(3)"),
         "expected {'descr': '|O', 'fortran_order': False, 'shape': "
         "(), }");
  refuse(good.substr(0, 128), "byte 0: 1 bytes are expected, 0 are left");
  refuse(good + "x", "the pickle ends, but 1 bytes follow");
  refuse(good.substr(0, 128) + "\x80\x04N.", "expected one dictionary, found None");
  refuse(good.substr(0, 128) + "\x80\x04]Na.", "[0]: expected a dictionary, found None");
  refuse(good.substr(0, 128) + "\x80\x04](NNe.", "expected one dictionary, found a list");
  refuse(good.substr(0, 128) +
             "\x80\x04"
             "cos\nsystem\n\x8C\x04true\x85R.",
         "byte 2: the callable 'os.system' is not allowed");
  fs::resize_file(write(good), (uint64_t{1} << 30) + 1);  // sparse
  expect_contains(error_of([&] { read(path()); }),
                  "it has 1073741825 bytes, at most 1073741824 are expected");
}

TEST_F(Dac, RefusesFieldsThatCannotBe) {
  const std::string good = bytes_of(kNumpy);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = replaced(good, from, to);
    const auto grown = static_cast<uint64_t>(text.size() - 128 - 11);
    return text.replace(131, 8, raw(grown));  // the size of the pickle's frame
  };
  const auto field = [&](const std::string& name, const std::string& from, const std::string& to) {
    return changed(name + "\x94" + from, name + "\x94" + to);
  };
  read(write(field("padding", "\x88", "\x89")));  // what all of these are like
  refuse(changed("metadata", "metadatb"), "[0]: it has no 'metadata'; it has: 'codes', 'metadatb'");
  refuse(changed("\x8C\x05"
                 "codes",
                 "\x8C\x05"
                 "coxes"),
         "[0]: it has no 'codes'");
  refuse(changed("dac_version", "dac_versiox"), "[0]/'metadata': it has no 'dac_version'");
  refuse(field("dac_version",
               "\x8C\x05"
               "1.0.0",
               "\x8C\x05"
               "2.0.0"),
         "dac_version is '2.0.0', only 1.0.0 is supported");
  refuse(field("dac_version",
               "\x8C\x05"
               "1.0.0",
               "N"),
         "[0]/'metadata'/'dac_version': expected a string, found None");
  refuse(field("padding", "\x88", "K\x01"), "'padding': expected a boolean, found an integer");
  refuse(field("original_length", "M\0\x0E"s, "N"), "'original_length': expected an integer");
  refuse(field("original_length", "M\0\x0E"s, "K\0"s),
         "original_length is 0, expected 1 to 1099511627776");
  refuse(field("original_length", "M\0\x0E"s, "\x8A\x08"s + raw(INT64_MIN)),
         "original_length is -9223372036854775808, expected 1");
  refuse(field("sample_rate", "M" + raw<uint16_t>(44100), "J"s + raw(2'000'000'000)),
         "sample_rate is 2000000000, expected 1 to 1000000000");
  refuse(field("chunk_length", "K\x07", "J"s + raw(-1)), "chunk_length is -1, expected 1");
  refuse(field("channels", "K\x01", "K\x02"), "metadata says 2 channels, the codes have 1");
  refuse(changed(raw(-21.25F), raw(std::nanf(""))), "input_db is nan, expected -200 to 60");
  refuse(changed(raw(-21.25F), raw(1e6F)), "input_db is 1000000, expected -200 to 60");
  refuse(changed("C\x04"s + raw(-21.25F), "C\x08"s + raw(0.0)),
         "a numpy array of F32 and shape [1] has 8 bytes");

  // Other types of the codes: floats are none, wider integers are if their values fit.
  refuse(changed("u2", "f2"), "[0]/'codes': expected integers, found elements of type F16");
  refuse(changed("u2", "V2"), "numpy data type 'V2' is not supported");
  EXPECT_EQ(read_dac(write(changed("u2", "i2"))), example());
  refuse(replaced(changed("u2", "i2"), "\0\0\x25\0"s, "\xFE\xFF\x25\0"s),
         "[0]/'codes': code -2 is out of range");
  refuse(replaced(changed("u2", "u4"), "K\x04K\x07\x87", "K\x02K\x07\x87"),
         "[0]/'codes': code 2424832 is out of range");
  refuse(changed("K\x04K\x07\x87", "K\x05K\x07\x87"),
         "a numpy array of U16 and shape [1, 5, 7] has 56 bytes");
  refuse(changed("K\x01K\x04K\x07\x87", "K\x04K\x07\x86"),
         "'codes': shape [4, 7], expected [channels, codebooks, frames]");
}

TEST_F(Dac, SurvivesDamage) {
  const std::string bytes = bytes_of(kNumpy);
  expect_refuses_truncations(read, bytes);
  const int refused = expect_survives_damage(read, bytes, 4000);
  EXPECT_GT(refused, 2000);
  EXPECT_LT(refused, 4000);
}

TEST_F(Dac, RefusesToWriteWhatCannotBe) {
  write("old");
  const auto message = [&](const std::function<void(DacFile&)>& change) {
    DacFile file = example();
    change(file);
    const std::string text = error_of([&] { write_dac(path(), file); });
    EXPECT_EQ(text.rfind(path().string() + ": ", 0), 0U) << text;
    return text.substr(std::min(text.size(), path().string().size() + 2));
  };
  EXPECT_EQ(message([](DacFile& f) { f.codes.pop_back(); }),
            "27 codes for 1 channels, 4 codebooks, 7 frames");
  EXPECT_EQ(message([](DacFile& f) { f.frames = 0; }),
            "the number of frames is 0, expected 1 to 1099511627776");
  EXPECT_EQ(message([](DacFile& f) { f.n_codebooks = -4; }),
            "the number of codebooks is -4, expected 1 to 1024");
  EXPECT_EQ(message([](DacFile& f) { f.channels = 2000; }),
            "the number of channels is 2000, expected 1 to 1024");
  EXPECT_EQ(message([](DacFile& f) { f.metadata.channels = 2; }),
            "metadata says 2 channels, the codes have 1");
  EXPECT_EQ(message([](DacFile& f) { f.metadata.input_db = HUGE_VALF; }),
            "input_db is inf, expected -200 to 60");
  EXPECT_EQ(message([](DacFile& f) { f.metadata.dac_version = "1.0.1"; }),
            "dac_version is '1.0.1', only 1.0.0 is supported");
  EXPECT_EQ(message([](DacFile& f) { f.metadata.original_length = 0; }),
            "original_length is 0, expected 1 to 1099511627776");
  EXPECT_EQ(bytes_of(path()), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"file"});
}

}  // namespace
}  // namespace dsf::files_test
