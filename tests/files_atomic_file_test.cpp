// Files written whole or not at all: full disks, read-only folders, links, kills.
#include "engine/files/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <csignal>

#include "engine/files/quote.h"
#include "tests/files_support.h"

namespace dsf::files_test {
namespace {

using Names = std::vector<std::string>;

class AtomicFile : public FilesTest {};

std::string permissions(const fs::path& path) {
  return fmt::format("{:o}", static_cast<unsigned>(fs::status(path).permissions()));
}

TEST_F(AtomicFile, CreatesAndReplaces) {
  write_file_atomically(path(), "one");
  EXPECT_EQ(bytes_of(path()), "one");
  write_file_atomically(path(), [](FileWriter& writer) {
    writer.write("t\0w"s);
    writer.write(nullptr, 0);
    writer.write(std::string(100'000, 'o'));
  });
  EXPECT_EQ(bytes_of(path()), "t\0w"s + std::string(100'000, 'o'));
  write_file_atomically(path(), "");
  EXPECT_EQ(bytes_of(path()), "");
  EXPECT_EQ(names(), Names{"file"});
}

TEST_F(AtomicFile, AnExceptionLeavesTheOldFile) {
  write("old");
  for (const size_t size : {size_t{3}, size_t{1} << 20}) {  // in the buffer; beyond it
    EXPECT_THROW(write_file_atomically(path(),
                                       [&](FileWriter& writer) {
                                         writer.write(std::string(size, 'n'));
                                         throw std::length_error("stop");
                                       }),
                 std::length_error);
    EXPECT_EQ(bytes_of(path()), "old");
    EXPECT_EQ(names(), Names{"file"});
  }
}

TEST_F(AtomicFile, AFullDiskLeavesTheOldFile) {
  write("old");
  for (const size_t size : {size_t{200}, size_t{1} << 20}) {  // noticed at the end; while writing
    const std::string message = error_of([&] {
      const LimitedFileSize limit(100);
      write_file_atomically(path(), std::string(size, 'n'));
    });
    EXPECT_EQ(message, path().string() + ": cannot write: File too large");
    EXPECT_EQ(bytes_of(path()), "old");
    EXPECT_EQ(names(), Names{"file"});
  }
}

TEST_F(AtomicFile, AHeaderIsWrittenOverBehindWhatFollowsIt) {
  write_file_atomically(path(), [](FileWriter& writer) {
    writer.write("size ?, ");
    writer.write(std::string(100'000, 'o'));
    writer.seek(5);
    writer.write("9");
    writer.seek(8 + 100'000);
    writer.write("end");
  });
  EXPECT_EQ(bytes_of(path()), "size 9, " + std::string(100'000, 'o') + "end");
  write("old");
  const std::string message = error_of([&] {
    const LimitedFileSize limit(100);
    write_file_atomically(path(), [](FileWriter& writer) {
      writer.write(std::string(200, 'n'));  // in the buffer
      writer.seek(0);
    });
  });
  EXPECT_EQ(message, path().string() + ": cannot write: File too large");
  EXPECT_EQ(bytes_of(path()), "old");
}

TEST_F(AtomicFile, AReadOnlyFolderLeavesTheOldFile) {
  write("old");
  fs::permissions(path().parent_path(), fs::perms{0555});
  const bool root = geteuid() == 0;  // whom permissions do not stop
  if (root && seteuid(65534) != 0) GTEST_SKIP() << "SKIPPED: this root cannot become another user";
  const std::string message = error_of([&] { write_file_atomically(path(), "new"); });
  ASSERT_TRUE(!root || seteuid(0) == 0);
  fs::permissions(path().parent_path(), fs::perms{0755});
  EXPECT_EQ(message,
            path().string() + ": cannot create a file in its directory: Permission denied");
  EXPECT_EQ(bytes_of(path()), "old");
  EXPECT_EQ(names(), Names{"file"});
}

TEST_F(AtomicFile, RefusesWhatIsNoRegularFile) {
  const auto message = [&](const fs::path& target) {
    return error_of([&] { write_file_atomically(target, "new"); });
  };
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/null", path("link"));
  const std::string reason = ": cannot write: it exists and is not a regular file";
  EXPECT_EQ(message(path("pipe")), path("pipe").string() + reason);
  EXPECT_EQ(message(path("link")), path("link").string() + reason);
  EXPECT_EQ(message(path().parent_path()), path().parent_path().string() + reason);
  const std::string no_folder = ": cannot create a file in its directory: ";
  EXPECT_EQ(message(path("none") / "file"),
            (path("none") / "file").string() + no_folder + "No such file or directory");
  EXPECT_EQ(message(write("old") / "file"),
            (path() / "file").string() + no_folder + "Not a directory");
  EXPECT_EQ(names(), (Names{"file", "link", "pipe"}));
}

TEST_F(AtomicFile, ALinkStaysAndItsTargetIsReplaced) {
  fs::create_directory(path("folder"));
  write("old", "folder/target");
  fs::create_symlink("folder/target", path("relative"));
  fs::create_symlink(path("relative"), path("absolute"));  // a link to a link
  write_file_atomically(path("absolute"), "new");
  EXPECT_EQ(bytes_of(path("folder/target")), "new");
  fs::remove(path("folder/target"));
  write_file_atomically(path("absolute"), "created");  // both links point to nothing
  EXPECT_EQ(bytes_of(path("folder/target")), "created");
  EXPECT_TRUE(fs::is_symlink(path("relative")) && fs::is_symlink(path("absolute")));

  fs::create_symlink("b", path("a"));
  fs::create_symlink("a", path("b"));
  EXPECT_EQ(error_of([&] { write_file_atomically(path("a"), "new"); }),
            path("a").string() + ": cannot write: Too many levels of symbolic links");
  EXPECT_EQ(names(), (Names{"a", "absolute", "b", "folder", "relative"}));
}

TEST_F(AtomicFile, PermissionsStay) {
  const mode_t mask = umask(022);
  write_file_atomically(path(), "old");
  EXPECT_EQ(permissions(path()), "644");
  fs::permissions(path(), fs::perms{0600});
  write_file_atomically(path(), "new");
  EXPECT_EQ(permissions(path()), "600");
  umask(mask);
}

// kill -9 in the middle of writing.
TEST_F(AtomicFile, AKillLeavesTheOldFile) {
  write("old");
  const int nameless = open(path().parent_path().c_str(), O_TMPFILE | O_WRONLY, 0600);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    write_file_atomically(path(), [&](FileWriter& writer) {
      writer.write(std::string(1 << 20, 'n'));
      if (::write(pipe[1], "x", 1) == 1) pause();
    });
    _exit(1);
  }
  char ready = 0;
  EXPECT_EQ(::read(pipe[0], &ready, 1), 1);
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  for (const int descriptor : pipe) close(descriptor);
  EXPECT_EQ(bytes_of(path()), "old");
  if (nameless < 0)
    GTEST_SKIP() << "SKIPPED: this file system has no nameless files, a temporary one may be left";
  close(nameless);
  EXPECT_EQ(names(), Names{"file"});
}

TEST_F(AtomicFile, ReadsExactlyWhatIsThere) {
  write("0123456789");
  const InputFile file(path());
  EXPECT_EQ(file.size(), 10U);
  EXPECT_EQ(file.path(), path());
  std::array<std::byte, 4> four{};
  file.read(6, four);
  EXPECT_EQ(four[0], std::byte{'6'});
  EXPECT_EQ(four[3], std::byte{'9'});
  file.read(10, {});
  const std::string start = path().string() + ": ";
  EXPECT_EQ(error_of([&] { file.read(7, four); }),
            start + "4 bytes are expected at offset 7, the file has 10 in all");
  EXPECT_EQ(error_of([&] { file.read(UINT64_MAX, four); }),
            start + "4 bytes are expected at offset 18446744073709551615, the file has 10 in all");
  fs::resize_file(path(), 8);
  EXPECT_EQ(error_of([&] { file.read(6, four); }), start + "it became shorter while it was read");

  EXPECT_EQ(read_file(path(), 8).size(), 8U);
  EXPECT_EQ(error_of([&] { read_file(path(), 7); }),
            start + "it has 8 bytes, at most 7 are expected");
}

TEST_F(AtomicFile, ReadsRegularFilesOnly) {
  const auto message = [](const fs::path& file) { return error_of([&] { InputFile{file}; }); };
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);  // opening it does not wait for a writer
  EXPECT_EQ(message(path("pipe")),
            path("pipe").string() + ": it is something special, expected a regular file");
  EXPECT_EQ(message("/dev/zero"), "/dev/zero: it is something special, expected a regular file");
  EXPECT_EQ(message(path().parent_path()),
            path().parent_path().string() + ": it is a directory, expected a regular file");
  EXPECT_EQ(message(path("none")),
            path("none").string() + ": cannot open: No such file or directory");
}

TEST(Quote, KeepsMessagesToOneShortVisibleLine) {
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("plain 'text', añ€𝄞"), "'plain 'text', añ€𝄞'");
  EXPECT_EQ(quote("\n\0\x1B[2J\x7F"s), "'\\x0a\\x00\\x1b[2J\\x7f'");
  EXPECT_EQ(quote("\xC2\x9B"), "'\\xc2\\x9b'");  // the C1 form of ESC [
  EXPECT_EQ(quote("\xC2\xA0"), "'\xC2\xA0'");    // the first character after C1
  EXPECT_EQ(quote("\x80\xC0\x80\xFFz"), "'\\x80\\xc0\\x80\\xffz'");
  EXPECT_EQ(quote("\xE2\x82"), "'\\xe2\\x82'");  // € cut short
  EXPECT_EQ(quote(std::string(80, 'x')), "'" + std::string(80, 'x') + "'");
  EXPECT_EQ(quote(std::string(81, 'x')), "'" + std::string(80, 'x') + "…'");
  EXPECT_EQ(quote(std::string(79, 'x') + "€"), "'" + std::string(79, 'x') + "…'");  // not halved
}

}  // namespace
}  // namespace dsf::files_test
