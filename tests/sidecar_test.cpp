// Side-cars that are hostile: they are read in moments, and messages about them are short.
#include "engine/generation/sidecar.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/generation/sidecar_reader.h"
#include "tests/expect_error.h"
#include "tests/hostile_json.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using testing::kSoon;
using testing::many_keys;
using testing::seconds_of;

class SidecarTest : public ::testing::Test {
 protected:
  ~SidecarTest() override { fs::remove(file_); }
  void write(const std::string& parameters) const {
    std::ofstream(file_) << R"({"dsf_version": "0.1.0", "seed": 1, "parameters": )" << parameters
                         << "}";
  }

  const fs::path file_ =
      fs::temp_directory_path() /
      fmt::format("dsf_sidecar_{}_{}.json",
                  ::testing::UnitTest::GetInstance()->current_test_info()->name(), ::getpid());
};

TEST_F(SidecarTest, DescribesTheRunWhateverCameOut) {
  nlohmann::ordered_json described = {
      {"dsf_version", "0.1.0"}, {"title", "\xFF"}, {"gain", 0.1F}, {"seed", 1}};
  nlohmann::ordered_json whole = described;
  whole[kSidecarResult] = {{"gain_db", 3}};
  write_sidecar(file_, whole);
  EXPECT_TRUE(describes(file_, described));
  described["seed"] = 2;
  EXPECT_FALSE(describes(file_, described));
}

TEST_F(SidecarTest, OfVeryManyKeysIsNone) {
  write(many_keys(500'000));
  EXPECT_LT(seconds_of([&] {
              EXPECT_TRUE(read_sidecar(file_).is_null());
              EXPECT_FALSE(describes(file_, {{"dsf_version", "0.1.0"}}));
            }),
            kSoon);
  write(many_keys(5'000));  // more than any model has
  EXPECT_FALSE(read_sidecar(file_).is_null());
  write(many_keys(11'000));
  EXPECT_TRUE(read_sidecar(file_).is_null());
}

TEST_F(SidecarTest, ManyNumbersTakeNoSquare) {
  const auto sidecar = nlohmann::json::parse("{\"p\":" + many_keys(500'000) + "}");
  EXPECT_LT(
      seconds_of([&] { EXPECT_EQ(SidecarReader(sidecar, "x").numbers("p").size(), 500'000U); }),
      kSoon);
}

TEST_F(SidecarTest, AMessageHoldsTheBeginningOfALongKey) {
  const nlohmann::json sidecar = {{"p", {{"\x1b[2J" + std::string(1'000'000, 'k'), "x"}}}};
  try {
    SidecarReader(sidecar, "x.json").numbers("p");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("x.json, p: '\\x1b[2Jkkk"), std::string::npos) << message;
    EXPECT_LT(message.size(), 200U);
  }
}

}  // namespace
}  // namespace dsf
