#pragma once
// Which files become which, for programs that take many: files, and folders that are mirrored.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {

struct FileJob {
  std::filesystem::path input, output;
};

/// What is taken of folders, and what becomes of a name.
struct FileRules {
  std::function<bool(const std::filesystem::path& name)> takes;
  std::string what;       // is taken, for messages: ".dac files"
  std::string extension;  // of the outputs
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

/// <output>/<name> for a file of `inputs`, <output>/<place within the folder>/<name> for those of a
/// folder, at any depth in the order of their names (links to folders are not followed); no file is
/// read. Two inputs that would become one file are a UsageError; a folder that cannot be read or
/// has no such files is reported.
std::vector<FileJob> list_file_jobs(const std::vector<std::filesystem::path>& inputs,
                                    const std::filesystem::path& output, const FileRules& rules,
                                    const Complaint& report);

}  // namespace dsf
