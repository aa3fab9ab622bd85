#pragma once
// Which files become which, for programs that take many: files, and folders that are mirrored.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "kernels/common/checks.h"
#include "kernels/common/parallel.h"

namespace dsf {

struct FileJob {
  std::filesystem::path input, output;
};

/// What is taken of folders, and what becomes of a name.
struct FileRules {
  std::function<bool(const std::filesystem::path& name)> takes;
  std::string what;               // is taken, for messages: ".dac files"
  std::string extension;          // of the outputs
  std::string become = "become";  // what inputs do, for messages
};

/// Told what is wrong with one file while the others go on.
using Complaint = std::function<void(const std::string&)>;

/// False where `work` fails with what one file can have: it is reported. A UsageError goes on.
template <class Work>
bool attempt(const Complaint& report, const Work& work) {
  try {
    work();
    return true;
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    report(error.what());
    return false;
  }
}

/// Runs `work`, whose Errors then begin with the file's name, and so does the lack of memory. Those
/// that begin with one of the `others`' stay as they are.
template <class Work>
auto with_name(const std::filesystem::path& file, const Work& work,
               const std::vector<std::filesystem::path>& others = {}) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    fail("{}: not enough memory for it", file.string());
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    const std::string text = error.what();
    const auto begins_with = [&text](const std::filesystem::path& name) {
      return text.starts_with(name.string() + ": ");
    };
    if (begins_with(file) || std::ranges::any_of(others, begins_with)) throw;
    fail("{}: {}", file.string(), text);
  }
}

/// Calls work(worker, index) for every index below `count`, until `stop`: on all threads, each of
/// which takes the next index that is left, or, if not `together`, on one. `worker` tells threads
/// apart.
template <class Work>
void for_each_file(size_t count, bool together, const std::atomic<bool>& stop, const Work& work) {
  std::atomic<size_t> next = 0;
  parallel_for(together ? num_threads() : 1, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      for (size_t i = next++; i < count && !stop; i = next++) work(static_cast<size_t>(worker), i);
    }
  });
}

/// <output>/<name> for a file of `inputs`, <output>/<place within the folder>/<name> for those of a
/// folder, at any depth in the order of their names (links to folders are not followed); no file is
/// read. Two inputs that would become one file are a UsageError; a folder that cannot be read or
/// has no such files is reported.
std::vector<FileJob> list_file_jobs(const std::vector<std::filesystem::path>& inputs,
                                    const std::filesystem::path& output, const FileRules& rules,
                                    const Complaint& report);

}  // namespace dsf
