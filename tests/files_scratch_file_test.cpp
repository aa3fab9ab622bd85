// What is too much for memory: kept without a name, read anywhere, and gone with the process.
#include "engine/files/scratch_file.h"

#include <array>

#include "tests/files_support.h"

namespace dsf::files_test {
namespace {

class Scratch : public FilesTest {
 protected:
  fs::path folder() const { return path().parent_path(); }
};

std::span<const std::byte> bytes_in(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string read_text(ScratchFile& file, uint64_t offset, size_t size) {
  std::string text(size, '\0');
  file.read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

TEST_F(Scratch, IsReadAnywhereAndHasNoName) {
  ScratchFile file(folder(), "sound");
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    const std::string part = fmt::format("{}, ", i);
    file.append(bytes_in(part));
    all += part;
  }
  EXPECT_TRUE(names().empty());
  for (const size_t offset : {size_t{9000}, size_t{0}, size_t{4095}, all.size() - 7}) {
    EXPECT_EQ(read_text(file, offset, 7), all.substr(offset, 7)) << offset;
  }
  EXPECT_EQ(read_text(file, 0, all.size()), all);
}

TEST_F(Scratch, WhatIsNotThereIsAnError) {
  ScratchFile file(folder(), "sound");
  file.append(bytes_in("0123456789"));
  EXPECT_EQ(error_of([&] { read_text(file, 8, 3); }),
            "sound: 3 bytes are expected at offset 8 of its temporary file, which has 2 there");
  EXPECT_EQ(read_text(file, 7, 3), "789");
}

TEST_F(Scratch, AFullDiskIsAnError) {
  for (const size_t size : {size_t{200}, size_t{1} << 20}) {  // noticed when it is read; at once
    const std::string message = error_of([&] {
      const LimitedFileSize limit(100);
      ScratchFile file(folder(), "sound");
      file.append(bytes_in(std::string(size, 'n')));
      read_text(file, 0, 1);
    });
    EXPECT_EQ(message, "sound: cannot write its temporary file: File too large");
    EXPECT_TRUE(names().empty());
  }
}

TEST_F(Scratch, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(error_of([&] { ScratchFile(path("none"), "sound"); }),
            "sound: cannot create its temporary file: No such file or directory");
}

}  // namespace
}  // namespace dsf::files_test
