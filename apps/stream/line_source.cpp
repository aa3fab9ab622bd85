#include "apps/stream/line_source.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr size_t kLongestLine = 4096;
constexpr int kLooksEvery = 100;  // ms: for the end of the program

/// Cuts what comes into lines, until nobody wants them any more.
class Lines {
 public:
  explicit Lines(ControlTarget target) : target_(std::move(target)) {}

  bool wanted() {
    const std::scoped_lock lock(mutex_);
    return wanted_;
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    wanted_ = false;
  }
  void take(std::string_view bytes) {
    const std::scoped_lock lock(mutex_);
    any_ = true;
    for (const char byte : bytes) {
      if (byte == '\n') {
        end_line();
      } else if (line_.size() <= kLongestLine) {
        line_ += byte;
      }
    }
  }
  /// Of what is read; the last line need not be ended.
  void end() {
    const std::scoped_lock lock(mutex_);
    end_line();
    if (wanted_ && any_ && target_.ended) target_.ended();
  }

 private:
  void end_line() {
    const std::string line = std::exchange(line_, {});
    if (!wanted_) return;
    try {
      if (line.size() > kLongestLine) {
        fail_usage("{}…: a line of more than {} bytes", quote(line), kLongestLine);
      }
      target_.apply(parse_control_line(line, target_.names));
    } catch (const Error& error) {
      target_.refuse(error.what());
    }
  }

  ControlTarget target_;
  std::mutex mutex_;
  bool wanted_ = true;
  bool any_ = false;  // /dev/null is no surprise when it ends
  std::string line_;
};

void read_lines(int descriptor, Lines& lines) {
  std::array<char, 1024> bytes{};
  while (lines.wanted()) {
    pollfd ready{descriptor, POLLIN, 0};
    if (poll(&ready, 1, kLooksEvery) <= 0) continue;
    const ssize_t count = read(descriptor, bytes.data(), bytes.size());
    if (count > 0) {
      lines.take({bytes.data(), static_cast<size_t>(count)});
    } else if (count == 0 || (errno != EIO && errno != EINTR && errno != EAGAIN)) {
      lines.end();
      return;
    } else {  // EIO: in the background of a terminal; it may come to the front again
      std::this_thread::sleep_for(std::chrono::milliseconds(kLooksEvery));
    }
  }
}

/// Its thread is left alone when nobody wants lines any more: it may be waiting for one, where
/// another program took those that `poll` had seen.
class LineSource : public ControlSource {
 public:
  LineSource(int descriptor, ControlTarget target)
      : lines_(std::make_shared<Lines>(std::move(target))) {
    std::thread([descriptor, lines = lines_] { read_lines(descriptor, *lines); }).detach();
  }
  ~LineSource() override { lines_->close(); }

 private:
  std::shared_ptr<Lines> lines_;
};

}  // namespace

std::unique_ptr<ControlSource> read_control_lines(int descriptor, ControlTarget target) {
  // In the background of a terminal a read of it would stop the program; so it fails.
  std::signal(SIGTTIN, SIG_IGN);
  return std::make_unique<LineSource>(descriptor, std::move(target));
}

}  // namespace dsf
