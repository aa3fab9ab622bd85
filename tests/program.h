#pragma once
// The programs of this build, run as a user runs them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace dsf::testing {

struct Outcome {
  int exit_code = -1;  // less than 0 where a signal ended it
  std::string output;  // standard output and error
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Whether a process or thread, by its folder in /proc, has SIGINT wait; so has one that has ended.
inline bool blocks_interrupts(const std::filesystem::path& folder) {
  const std::string text = read_text(folder / "status"), key = "SigBlk:";
  const size_t at = text.find(key);
  if (at == std::string::npos) return true;
  const uint64_t blocked = std::stoull(text.substr(at + key.size()), nullptr, 16);
  return (blocked >> (SIGINT - 1) & 1U) != 0;
}

enum class Rights { ours, users };

/// A program of this build, started in `directory`, its output going to a file. Its user's home is
/// `directory` and the bundled data would be in `data` there, so that nothing of whoever runs the
/// tests is found; `environment` holds what differs from that and from ours. With a user's rights,
/// permissions stop it even where the tests are run by root: it stays root, so that it finds what
/// only root may enter, but loses the capability to pass over the permissions of its own files and
/// folders.
class Program {
 public:
  Program(const std::filesystem::path& directory, std::vector<std::string> words,
          const std::vector<std::pair<std::string, std::string>>& environment = {},
          Rights rights = Rights::ours)
      : log_(directory / "program.log") {
    words[0] = (std::filesystem::path(DSF_BINARY_DIR) / words[0]).string();
    const std::filesystem::path home = std::filesystem::absolute(directory);
    pid_ = fork();
    if (pid_ != 0) return;
    const int log = open(log_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    setenv("CUDA_VISIBLE_DEVICES", "", 1);  // tests expect the same with and without a GPU
    setenv("HOME", home.c_str(), 1);
    unsetenv("XDG_CACHE_HOME");
    setenv("DSF_DATA", (home / "data").c_str(), 1);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    std::signal(SIGHUP, SIG_DFL);  // these tests may run under nohup
    if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || chdir(directory.c_str()) != 0) _exit(97);
    if (rights == Rights::users && geteuid() == 0 &&
        prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0) {
      _exit(96);
    }
    execv(arguments[0], arguments.data());
    _exit(98);
  }
  Outcome wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_text(log_)};
  }
  pid_t id() const { return pid_; }
  void kill_now() { ::kill(pid_, SIGKILL); }
  /// Asks it to stop, as Ctrl-C does, or a terminal that closes (SIGHUP).
  void interrupt(int signal = SIGINT) { ::kill(pid_, signal); }

 private:
  std::filesystem::path log_;
  pid_t pid_ = -1;
};

}  // namespace dsf::testing
