#pragma once
// What the tests of file formats share: a folder of their own, damage of every kind, and errors as
// texts.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf::files_test {

namespace fs = std::filesystem;
using namespace std::string_literals;

inline const fs::path kData = fs::path(DSF_SOURCE_DIR) / "tests/data";

inline std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A number as its little-endian bytes.
template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string repeated(const std::string& part, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += part;
  return all;
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// The message of the Error that `action` must raise.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

/// By how many bytes the process grows at most while `action` runs.
inline uint64_t peak_growth(const std::function<void()>& action) {
  const auto status = [](const std::string& field) {
    std::ifstream file("/proc/self/status");
    std::string line;
    while (std::getline(file, line)) {
      if (line.rfind(field, 0) == 0) return 1024 * std::stoull(line.substr(field.size()));
    }
    ADD_FAILURE() << "no " << field;
    return 0ULL;
  };
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const uint64_t before = status("VmRSS:");
  action();
  return std::max<uint64_t>(status("VmHWM:"), before) - before;
}

/// While it lives, no file may grow beyond `bytes`: as on a full disk, write() fails.
class LimitedFileSize {
 public:
  explicit LimitedFileSize(rlim_t bytes) : action_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &old_), 0);
    const rlimit limit{bytes, old_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~LimitedFileSize() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, action_);
  }
  LimitedFileSize(const LimitedFileSize&) = delete;
  LimitedFileSize& operator=(const LimitedFileSize&) = delete;

 private:
  rlimit old_{};
  void (*action_)(int);
};

/// Where temporary files are made: in memory if possible, because tests damage files by thousands.
inline fs::path temporary_folder() {
  const fs::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK | X_OK) == 0 ? memory : fs::path(::testing::TempDir());
}

/// A test with a folder of its own, which is removed after it.
class FilesTest : public ::testing::Test {
 protected:
  FilesTest() : directory_(temporary_folder() / fmt::format("dsf_files_{}", ::getpid())) {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  ~FilesTest() override { fs::remove_all(directory_); }

  fs::path path(const std::string& name = "file") const { return directory_ / name; }
  fs::path write(const std::string& bytes, const std::string& name = "file") const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  /// The names of all files in the folder, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  /// `read` refuses a file of these bytes with a message that begins with its path and contains
  /// `part`.
  void expect_refused(const std::function<void(const fs::path&)>& read, const std::string& bytes,
                      const std::string& part) const {
    const fs::path file = write(bytes);
    const std::string message = error_of([&] { read(file); });
    EXPECT_EQ(message.rfind(file.string() + ":", 0), 0U) << message;
    expect_contains(message, part);
  }

  /// A missing file, a folder and an empty file are refused by name.
  void expect_refuses_no_file(const std::function<void(const fs::path&)>& read) const {
    const fs::path missing = path("missing");
    expect_contains(error_of([&] { read(missing); }),
                    missing.string() + ": cannot open: No such file or directory");
    expect_contains(error_of([&] { read(directory_); }),
                    directory_.string() + ": it is a directory, expected a regular file");
    expect_refused(read, "", "");
  }

  /// Every file cut short, at `step` bytes after `step` bytes, is refused.
  void expect_refuses_truncations(const std::function<void(const fs::path&)>& read,
                                  const std::string& bytes, size_t step = 1) const {
    for (size_t size = 0; size < bytes.size(); size += step) {
      SCOPED_TRACE(fmt::format("cut to {} bytes", size));
      expect_refused(read, bytes.substr(0, size), "");
    }
  }

  /// Whatever is done to the bytes, `read` succeeds or raises an Error: one to four bits flipped,
  /// bytes replaced by extreme ones, a stretch removed, repeated or zeroed. Seeded: the same
  /// damage in every run. Returns how many files were refused.
  int expect_survives_damage(const std::function<void(const fs::path&)>& read,
                             const std::string& bytes, int count) const {
    int refused = 0;
    for (int i = 0; i < count; ++i) {
      SCOPED_TRACE(fmt::format("damage {}", i));
      const fs::path file = write(damaged(bytes, static_cast<uint64_t>(i)));
      try {
        read(file);
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(std::string_view(error.what()).rfind(file.string(), 0), 0U) << error.what();
      }
    }
    return refused;
  }

 private:
  static std::string damaged(std::string bytes, uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto place = [&] { return random() % bytes.size(); };
    switch (seed % 4) {
      case 0:
      case 1:
        for (uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
          bytes[place()] ^= static_cast<char>(1U << (random() % 8));
        }
        break;
      case 2: {
        constexpr std::string_view kExtreme("\x00\x01\x7F\x80\xFF", 5);
        for (uint64_t left = 1 + random() % 8, at = place(); left > 0; --left, ++at) {
          if (at < bytes.size()) bytes[at] = kExtreme[random() % kExtreme.size()];
        }
        break;
      }
      default: {
        const size_t at = place(), size = 1 + random() % 64;
        const std::string stretch = bytes.substr(at, size);
        if (random() % 2 == 0) {
          bytes.erase(at, size);
        } else {
          bytes.insert(at, stretch);
        }
      }
    }
    return bytes;
  }

  fs::path directory_;
};

}  // namespace dsf::files_test
