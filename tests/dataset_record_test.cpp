// dataset.json: which recordings' pieces it vouches for, and what takes its place to do harm.
#include "engine/dataset/dataset_record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/hostile_json.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::kSoon;
using testing::many_keys;
using testing::seconds_of;

class DatasetRecordTest : public ::testing::Test {
 protected:
  ~DatasetRecordTest() override { fs::remove(file_); }
  void write(const std::string& text) const { std::ofstream(file_) << text; }
  /// How many recordings' pieces are there, and that it was found out in moments.
  int64_t reusable() const {
    std::vector<bool> found;
    EXPECT_LT(seconds_of([&] { found = find_reusable(file_, settings_, recordings_); }), kSoon);
    EXPECT_EQ(found.size(), recordings_.list.size());
    return std::count(found.begin(), found.end(), true);
  }

  const fs::path file_ =
      fs::temp_directory_path() /
      fmt::format("dsf_record_{}_{}.json",
                  ::testing::UnitTest::GetInstance()->current_test_info()->name(), ::getpid());
  const nlohmann::ordered_json settings_ = {{"rate", 44100}, {"folder", "in/\xFF"}};
  Recordings recordings_;
};

TEST_F(DatasetRecordTest, KnowsTheRecordingsThatAreStillTheSame) {
  constexpr size_t kCount = 20'000;
  for (size_t i = 0; i < kCount; ++i) {
    const std::string name = "\xFF" + std::to_string(i);
    recordings_.list.push_back({"in/" + name, name, "wind", {}, {i, -7}});
  }
  SurveyedRecording surveyed;
  surveyed.pieces = 1;
  write_unfinished_record(file_, settings_, recordings_, std::vector(kCount, surveyed));
  EXPECT_EQ(reusable(), kCount);
  recordings_.list[3].stamp.modified = 8;
  recordings_.list.push_back({"in/new", "new", "wind", {}, {1, 2}});
  EXPECT_EQ(reusable(), kCount - 1);
  const nlohmann::ordered_json others = {{"rate", 48000}, {"folder", "in/\xFF"}};
  EXPECT_EQ(find_reusable(file_, others, recordings_), std::vector<bool>(kCount + 1));
  fs::remove(file_);
  EXPECT_EQ(reusable(), 0);
}

TEST_F(DatasetRecordTest, HostileFilesKnowNoneAndTakeNoTime) {
  recordings_.list.push_back({"in/a", "a", "wind", {}, {1, 2}});
  const std::string whole = R"("settings": {"rate": 44100, "folder": "in/\ufffd"}, "recordings": )"
                            R"([{"name": "a", "bytes": 1, "modified_ns": 2}])";
  write("{" + whole + "}");
  ASSERT_EQ(reusable(), 1);
  write("{" + whole + ", \"x\": " + many_keys(500'000) + "}");
  EXPECT_EQ(reusable(), 1) << "of a newer version, perhaps";
  write("{" + whole + ", \"x\": " + std::string(500'000, '[') + std::string(500'000, ']') + "}");
  EXPECT_EQ(reusable(), 0);
  std::string many = "0";
  for (int i = 0; i < 8'000'000; ++i) many += ",0";
  write("{" + whole + ", \"x\": [" + many + "]}");
  EXPECT_EQ(reusable(), 0);
  for (const char* recordings : {"3", "null", "{\"name\": \"a\"}", "[[], {\"name\": 1}]"}) {
    write(R"({"settings": {"rate": 44100, "folder": "in/\ufffd"}, "recordings": )" +
          std::string(recordings) + "}");
    EXPECT_EQ(reusable(), 0) << recordings;
  }
}

}  // namespace
}  // namespace dsf
