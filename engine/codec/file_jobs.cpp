#include "engine/codec/file_jobs.h"

#include <algorithm>
#include <map>
#include <system_error>

namespace dsf {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> list_folder(const fs::path& folder, const FileRules& rules) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;  // a link that leads nowhere is no file
    if (rules.takes(entry->path()) && entry->is_regular_file(unknown)) {
      files.push_back(entry->path());
    }
  }
  if (error) fail("{}: cannot read this folder: {}", folder.string(), error.message());
  if (files.empty()) fail("{}: no {} in this folder", folder.string(), rules.what);
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::vector<FileJob> list_file_jobs(const std::vector<fs::path>& inputs, const fs::path& output,
                                    const FileRules& rules, const Complaint& report) {
  std::vector<FileJob> jobs;
  std::map<fs::path, fs::path> known;  // input by output
  const auto add = [&](const fs::path& input, fs::path name) {
    const fs::path target = output / name.replace_extension(rules.extension);
    const auto [other, is_new] = known.emplace(target, input);
    if (!is_new) {
      fail_usage("{} and {} would both {} {}", other->second.string(), input.string(), rules.become,
                 target.string());
    }
    jobs.push_back({input, target});
  };
  for (const fs::path& input : inputs) {
    std::error_code unknown;  // what cannot be looked at is reported when it is read
    if (!fs::is_directory(input, unknown)) {
      add(input, input.filename());
      continue;
    }
    attempt(report, [&] {
      for (const fs::path& file : list_folder(input, rules)) {
        add(file, file.lexically_relative(input));
      }
    });
  }
  return jobs;
}

}  // namespace dsf
