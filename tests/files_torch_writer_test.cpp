// Archives as torch.save writes them: read back by the strict reader, and their layout.
#include "engine/files/torch_writer.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <map>
#include <numeric>

#include "engine/files/torch_file.h"
#include "tests/files_support.h"

namespace dsf {
namespace {

using files_test::bytes_of;
using files_test::error_of;
using files_test::expect_contains;

class TorchWriterTest : public files_test::FilesTest {
 protected:
  static std::vector<float> counted(size_t count, float first) {
    std::vector<float> values(count);
    std::iota(values.begin(), values.end(), first);
    return values;
  }
};

void write_dict(TorchWriter& file, const std::map<std::string, std::vector<int64_t>>& shapes,
                const std::map<std::string, const float*>& elements) {
  file.pickle().empty_dict();
  file.pickle().mark();
  for (const auto& [name, shape] : shapes) {
    file.pickle().text(name);
    file.tensor(shape, elements.at(name));
  }
  file.pickle().set_items();
}

/// Entries of a zip archive, in order: name, bytes, whether they are stored as they are.
struct ZipEntry {
  std::string name;
  uint64_t size;
  bool stored;
};

std::vector<ZipEntry> zip_entries(const std::filesystem::path& path) {
  zip_t* zip = zip_open(path.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, nullptr);
  EXPECT_NE(zip, nullptr) << path;
  std::vector<ZipEntry> entries;
  for (zip_int64_t i = 0; zip && i < zip_get_num_entries(zip, 0); ++i) {
    zip_stat_t status;
    zip_stat_index(zip, static_cast<zip_uint64_t>(i), 0, &status);
    entries.push_back({status.name, status.size, status.comp_method == ZIP_CM_STORE});
  }
  if (zip) zip_discard(zip);
  return entries;
}

TEST_F(TorchWriterTest, TensorsAreReadBack) {
  const std::vector<float> cube = counted(24, 1), row = counted(5, 100), one{-0.5F};
  TorchWriter file;
  write_dict(file, {{"cube", {2, 3, 4}}, {"row", {5}}, {"one", {}}, {"none", {0, 3}}},
             {{"cube", cube.data()}, {"row", row.data()}, {"one", one.data()}, {"none", nullptr}});
  file.write(path("x.pth"));

  const PickleValue read = read_torch_file(path("x.pth"));
  EXPECT_EQ(read.at("cube").as_tensor(), from_floats({2, 3, 4}, cube));
  EXPECT_EQ(read.at("row").as_tensor(), from_floats({5}, row));
  EXPECT_EQ(read.at("one").as_tensor(), from_floats({}, one));
  EXPECT_EQ(read.at("none").as_tensor(), from_floats({0, 3}, {}));
  EXPECT_EQ(names(), std::vector<std::string>{"x.pth"});
}

TEST_F(TorchWriterTest, ValuesOfEveryKindAreReadBack) {
  constexpr int kMany = 700;  // more than an entry of the memo in one byte
  const std::vector<double> numbers{0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308};
  TorchWriter file;
  PickleWriter& pickle = file.pickle();
  file.ordered_dict();
  pickle.mark();
  for (int i = 0; i < kMany; ++i) {
    pickle.text(fmt::format("key {}", i));
    pickle.text(fmt::format("value {}", i % 300));  // written once, recalled later
  }
  pickle.text("numbers");
  pickle.mark();
  for (const double number : numbers) pickle.real(number);
  pickle.tuple_from_mark();
  pickle.text("list");
  pickle.empty_list();
  pickle.mark();
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{65536}, INT64_MIN, INT64_MAX}) {
    pickle.integer(value);
  }
  pickle.append_items();
  pickle.text("nothing");
  pickle.none();
  pickle.set_items();
  file.write(path());

  const PickleValue read = read_torch_file(path());
  EXPECT_EQ(read.size(), static_cast<size_t>(kMany) + 3);
  for (int i = 0; i < kMany; ++i) {
    EXPECT_EQ(read.at(fmt::format("key {}", i)).as_string(), fmt::format("value {}", i % 300));
  }
  ASSERT_EQ(read.at("numbers").size(), numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double found = read.at("numbers")[i].as_double();
    EXPECT_EQ(std::memcmp(&found, &numbers[i], sizeof found), 0) << found;
  }
  EXPECT_EQ(read.at("list").as_ints(), (std::vector<int64_t>{0, -1, 65536, INT64_MIN, INT64_MAX}));
  EXPECT_TRUE(read.at("nothing").is_none());
  // Every text once: two occurrences more would be visible in the size.
  const std::string bytes = bytes_of(path());
  EXPECT_EQ(bytes.find("value 299"), bytes.rfind("value 299"));
}

TEST_F(TorchWriterTest, TheArchiveIsLaidOutAsPyTorchDoes) {
  const std::vector<float> first = counted(7, 1000), second = counted(33, 2000);
  TorchWriter file;
  write_dict(file, {{"a", {7}}, {"b", {3, 11}}, {"shared", {7, 1}}},
             {{"a", first.data()}, {"b", second.data()}, {"shared", first.data()}});
  file.write(path());

  std::vector<std::string> names;
  for (const ZipEntry& entry : zip_entries(path())) {
    names.push_back(entry.name);
    EXPECT_TRUE(entry.stored) << entry.name;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"archive/data.pkl", "archive/byteorder", "archive/data/0",
                                      "archive/data/1", "archive/version"}));
  const std::string bytes = bytes_of(path());
  for (const std::vector<float>* values : {&first, &second}) {
    const std::string stored(reinterpret_cast<const char*>(values->data()),
                             values->size() * sizeof(float));
    const size_t at = bytes.find(stored);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(at % 64, 0U);
    EXPECT_EQ(bytes.find(stored, at + 1), std::string::npos) << "stored twice";
  }
  EXPECT_EQ(read_torch_file(path()).at("shared").as_tensor(), from_floats({7, 1}, first));
}

TEST_F(TorchWriterTest, TheSameContentGivesTheSameBytes) {
  const std::vector<float> values = counted(10, 0);
  for (const char* name : {"one", "two"}) {
    TorchWriter file;
    write_dict(file, {{"x", {10}}}, {{"x", values.data()}});
    file.write(path(name));
  }
  EXPECT_EQ(bytes_of(path("one")), bytes_of(path("two")));
}

TEST_F(TorchWriterTest, DamageIsRefused) {
  const std::vector<float> values = counted(10, 0);
  TorchWriter file;
  write_dict(file, {{"x", {10}}}, {{"x", values.data()}});
  file.write(path("whole"));
  const auto read = [](const std::filesystem::path& damaged) { read_torch_file(damaged); };
  expect_refuses_truncations(read, bytes_of(path("whole")), 13);
}

TEST_F(TorchWriterTest, AFailureLeavesTheOldFileAndNamesTheNewOne) {
  TorchWriter file;
  file.pickle().none();
  const std::filesystem::path absent = path("absent") / "x.pth";
  expect_contains(error_of([&] { file.write(absent); }), absent.string());
  EXPECT_EQ(names(), std::vector<std::string>{});
}

}  // namespace
}  // namespace dsf
