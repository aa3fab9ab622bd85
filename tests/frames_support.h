#pragma once
// What the tests of data frames share: spreadsheets made of hand-written XML, sound files, damage.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zip.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/files/dac_file.h"
#include "kernels/common/checks.h"
#include "kernels/common/random.h"
#include "tests/files_support.h"

namespace dsf::frames_test {

namespace fs = std::filesystem;
using Parts = std::map<std::string, std::string>;  // of an archive: name and content

inline const fs::path kShared = fs::path(DSF_SOURCE_DIR) / "../shared/upstream_data/later_testdata";

inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

using files_test::error_of;
using files_test::expect_contains;
using files_test::repeated;

/// A zip archive's bytes.
inline std::string make_zip(const Parts& parts, bool compressed = true) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* target = zip_source_buffer_create(nullptr, 0, 0, &error);
  zip_t* archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  EXPECT_NE(archive, nullptr);
  zip_source_keep(target);  // for what is read below
  for (const auto& [name, text] : parts) {
    zip_source_t* source = zip_source_buffer(archive, text.data(), text.size(), 0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, 0);
    EXPECT_GE(index, 0);
    const zip_int32_t method = compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  zip_stat_t status;
  zip_source_stat(target, &status);
  std::string bytes(status.size, '\0');
  zip_source_open(target);
  EXPECT_EQ(zip_source_read(target, bytes.data(), bytes.size()),
            static_cast<zip_int64_t>(bytes.size()));
  zip_source_close(target);
  zip_source_free(target);
  zip_error_fini(&error);
  return bytes;
}

inline std::string relationships(const std::string& entries) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Relationships>" + entries +
         "</Relationships>";
}

inline std::string relationship(const std::string& id, const std::string& kind,
                                const std::string& target) {
  return fmt::format("<Relationship Id=\"{}\" Type=\"http://x/relationships/{}\" Target=\"{}\"/>",
                     id, kind, target);
}

/// A worksheet with these rows in it.
inline std::string worksheet(const std::string& rows) {
  return "<worksheet "
         "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>" +
         rows + "</sheetData></worksheet>";
}

/// A workbook's parts: one sheet with these rows, and these <si> elements as its shared text.
inline Parts workbook(const std::string& rows, const std::string& shared = "") {
  return {{"_rels/.rels", relationships(relationship("r1", "officeDocument", "xl/workbook.xml"))},
          {"xl/workbook.xml",
           "<workbook xmlns:r=\"http://r\"><sheets><sheet name=\"one\" sheetId=\"1\" "
           "r:id=\"rId1\"/></sheets></workbook>"},
          {"xl/_rels/workbook.xml.rels",
           relationships(relationship("rId1", "worksheet", "worksheets/sheet1.xml") +
                         relationship("rId2", "sharedStrings", "sharedStrings.xml"))},
          {"xl/worksheets/sheet1.xml", worksheet(rows)},
          {"xl/sharedStrings.xml", "<sst>" + shared + "</sst>"}};
}

/// A .dac file of 4 codebooks with codes drawn below `vocabulary`.
inline DacFile make_dac(uint64_t seed, int64_t frames, uint32_t vocabulary = 64) {
  DacFile file;
  file.channels = 1;
  file.n_codebooks = 4;
  file.frames = frames;
  for (uint64_t i = 0; i < static_cast<uint64_t>(4 * frames); ++i) {
    file.codes.push_back(static_cast<uint16_t>(random_words({seed, 1, 0}, i)[0] % vocabulary));
  }
  file.metadata = {-20, frames * 512, 44100, frames, 1, true, "1.0.0"};
  return file;
}

/// A test with a folder of its own, which is removed after it.
class FramesTest : public ::testing::Test {
 protected:
  FramesTest()
      : folder_(fs::temp_directory_path() /
                fmt::format("dsf_frames_{}_{}",
                            ::testing::UnitTest::GetInstance()->current_test_info()->name(),
                            ::getpid())) {
    fs::create_directories(folder_);
  }
  ~FramesTest() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  fs::path folder_;
};

/// Whatever is done to the bytes, `read` succeeds or raises an Error: cut short at `cuts` places,
/// and one to four bits flipped `flips` times, seeded.
inline void expect_survives_damage(const std::string& bytes,
                                   const std::function<void(const std::string&)>& read, size_t cuts,
                                   uint64_t flips) {
  size_t refused = 0;
  const auto survives = [&](const std::string& damaged) {
    try {
      read(damaged);
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t cut = 0; cut < cuts; ++cut) survives(bytes.substr(0, bytes.size() * cut / cuts));
  for (uint64_t seed = 0; seed < flips; ++seed) {
    std::mt19937_64 random(seed);
    std::string damaged = bytes;
    for (uint64_t left = 1 + random() % 4; left > 0; --left) {
      damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
    }
    survives(damaged);
  }
  EXPECT_GT(refused, 0U) << "nothing was damaged";
}

}  // namespace dsf::frames_test
