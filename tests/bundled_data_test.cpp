// Where the project's own codec and model are looked for, and what codecs are called.
#include "engine/files/bundled_data.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "engine/codec/codec_location.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

class BundledData : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::canonical(fs::temp_directory_path()) / fmt::format("dsf_bundled_{}", ::getpid());
    fs::create_directories(folder_ / "codec");
    setenv("HOME", folder_.c_str(), 1);
    unsetenv("DSF_DATA");  // of whoever runs the tests
  }
  void TearDown() override {
    unsetenv("DSF_DATA");
    fs::remove_all(folder_);
  }
  void write(const fs::path& file) const {
    fs::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << "weights";
  }
  static std::string error_of(const fs::path& name) {
    try {
      find_codec(name);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }

  fs::path folder_;
};

TEST_F(BundledData, LiesInTheSourceTreeUnlessTheVariableSaysOtherwise) {
  const fs::path built_from = fs::path(DSF_SOURCE_DIR) / "data";
  EXPECT_EQ(data_folder(), built_from);
  setenv("DSF_DATA", "", 1);
  EXPECT_EQ(data_folder(), built_from);
  setenv("DSF_DATA", folder_.c_str(), 1);
  EXPECT_EQ(bundled_codec(), folder_ / "codec/weights.pth");
  EXPECT_EQ(bundled_model(), folder_ / "models/textures.safetensors");
  EXPECT_FALSE(is_bundled(bundled_codec()));
  EXPECT_FALSE(is_bundled(folder_ / "codec"));
  EXPECT_NE(describe_missing(folder_ / "codec").find("/codec is no file ("), std::string::npos);
  fs::create_symlink("circle", folder_ / "circle");
  const std::string circle = describe_missing(folder_ / "circle");
  EXPECT_NE(circle.find("circle cannot be looked at (Too many"), std::string::npos) << circle;
  const std::string missing = describe_missing(bundled_codec());
  EXPECT_NE(missing.find("weights.pth is not there ("), std::string::npos) << missing;
  for (const std::string& part :
       {bundled_codec().string(), std::string("DSF_DATA"), folder_.string(), built_from.string()}) {
    EXPECT_NE(missing.find(part), std::string::npos) << missing;
  }
  EXPECT_EQ(error_of("bundled"), "no bundled codec: " + missing);
  write("codec/weights.pth");
  EXPECT_TRUE(is_bundled(bundled_codec()));
  EXPECT_EQ(find_codec("bundled"), bundled_codec());
  EXPECT_EQ(codec_name(folder_ / "codec/../codec/weights.pth"), "bundled");
}

TEST_F(BundledData, TheOfficialCodecIsTheCachedOne) {
  EXPECT_EQ(cached_codec(), fs::path());
  EXPECT_NE(error_of("official").find("~/.cache/descript/dac/"), std::string::npos);
  const fs::path cached = ".cache/descript/dac/weights_44khz_8kbps_0.0.1.pth";
  write(cached);
  EXPECT_EQ(cached_codec(), folder_ / cached);
  EXPECT_EQ(find_codec("official"), folder_ / cached);
  EXPECT_EQ(codec_name(folder_ / cached), "official");
}

TEST_F(BundledData, AnyOtherNameIsAFile) {
  EXPECT_EQ(
      error_of("absent.pth"),
      "absent.pth: no such file of codec weights; expected one, or bundled (the codec that comes "
      "with dsf) or official");
  EXPECT_NE(error_of(std::string(5000, 'x')), "");
  write("mine.pth");
  EXPECT_EQ(find_codec(folder_ / "mine.pth"), folder_ / "mine.pth");
  const fs::path relative = (folder_ / "mine.pth").lexically_relative(fs::current_path());
  EXPECT_EQ(lasting_codec_name(relative.string()), (folder_ / "mine.pth").string());
  EXPECT_EQ(codec_name(relative), (folder_ / "mine.pth").string());
  EXPECT_EQ(lasting_codec_name("absent.pth"), "");
  fs::create_directories(folder_ / "deep/inner");
  fs::create_directory_symlink(folder_ / "deep/inner", folder_ / "link");
  std::ofstream(folder_ / "deep/other.pth") << "x";
  EXPECT_EQ(lasting_codec_name((folder_ / "link/../other.pth").string()),
            (folder_ / "deep/other.pth").string());
  std::ofstream(folder_ / "deep/inner/w.pth") << "x";
  EXPECT_EQ(lasting_codec_name((folder_ / "deep/../link/w.pth").string()),
            (folder_ / "link/w.pth").string())
      << "a link behind the last .. stays";
  EXPECT_EQ(codec_name(folder_ / "gone/../w.pth"), (folder_ / "gone/../w.pth").string());
  EXPECT_EQ(lasting_codec_name("bundled"), "bundled");
}

}  // namespace
}  // namespace dsf
