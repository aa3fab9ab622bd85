// The event files that TensorBoard reads, byte by byte.
#include "engine/logging/tensorboard.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <chrono>
#include <cstring>
#include <fstream>
#include <vector>

#include "engine/logging/crc32c.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

std::string operator""_bytes(const char* text, size_t size) {
  return {text, size};
}

uint64_t little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

// As TensorFlow's tfrecord documentation gives the mask.
uint64_t masked(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

std::vector<std::string> read_records(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  std::vector<std::string> payloads;
  size_t at = 0;
  while (at < bytes.size()) {
    const std::string head = bytes.substr(at, 8);
    const auto size = static_cast<size_t>(little_endian(head));
    EXPECT_EQ(little_endian(bytes.substr(at + 8, 4)), masked(crc32c(head)));
    payloads.push_back(bytes.substr(at + 12, size));
    EXPECT_EQ(little_endian(bytes.substr(at + 12 + size, 4)), masked(crc32c(payloads.back())));
    at += 16 + size;
  }
  EXPECT_EQ(at, bytes.size());
  return payloads;
}

/// Checks the wall time at a payload's beginning and returns what follows it.
std::string without_time(const std::string& payload) {
  EXPECT_EQ(payload.substr(0, 1), "\x09"_bytes);  // field 1, 64 bits
  const auto time = std::bit_cast<double>(little_endian(payload.substr(1, 8)));
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(time, now.count(), 60.0);
  return payload.substr(9);
}

class TensorboardTest : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove_all(dir_.parent_path()); }
  const fs::path dir_ =
      fs::path(::testing::TempDir()) / fmt::format("dsf_events_{}", ::getpid()) / "run";
};

TEST(Crc32c, GivesTheKnownAnswers) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);              // the catalogue's check value
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);    // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(""), 0U);
}

TEST_F(TensorboardTest, WritesVersionAndScalars) {
  fs::path file;
  {
    EventWriter writer(dir_);
    file = writer.file();
    writer.scalar("Loss/train", 300, 1.5);
    EXPECT_EQ(read_records(file).size(), 2U) << "records reach the file as they are written";
    writer.scalar("a", -1, 0.1);
    writer.flush();
  }
  EXPECT_EQ(file.filename().string().find("events.out.tfevents."), 0U);
  const auto records = read_records(file);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(without_time(records[0]),
            "\x1a\x0d"
            "brain.Event:2"_bytes);
  // step 300; summary of 19 bytes: value of 17: tag of 10, simple_value 1.5
  EXPECT_EQ(without_time(records[1]),
            "\x10\xac\x02\x2a\x13\x0a\x11\x0a\x0aLoss/train\x15\0\0\xc0\x3f"_bytes);
  EXPECT_EQ(without_time(records[2]),
            "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x2a\x0a\x0a\x08\x0a\x01"
            "a"
            "\x15\xcd\xcc\xcc\x3d"_bytes);
}

TEST_F(TensorboardTest, AResumedRunOpensAFileOfItsOwn) {
  const EventWriter first(dir_);
  const EventWriter second(dir_, 7);
  EXPECT_NE(first.file(), second.file());
  const auto records = read_records(second.file());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(without_time(records[1]), "\x10\x07\x3a\x02\x08\x01"_bytes);  // session starts at 7
}

TEST_F(TensorboardTest, SaysWhichFolderCannotBeMade) {
  fs::create_directories(dir_.parent_path());
  std::ofstream(dir_) << "a file where the folder should be";
  try {
    const EventWriter writer(dir_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(dir_.string()), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace dsf
