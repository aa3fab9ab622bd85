#include "apps/stream/line_source.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string_view>
#include <thread>
#include <utility>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr size_t kLongestLine = 4096;
constexpr int kLooksEvery = 100;  // ms: for the end of the program

class LineSource : public ControlSource {
 public:
  LineSource(int descriptor, ControlTarget target)
      : descriptor_(descriptor),
        target_(std::move(target)),
        thread_([this](const std::stop_token& stop) { listen(stop); }) {}

 private:
  void listen(const std::stop_token& stop) {
    std::array<char, 1024> bytes{};
    while (!stop.stop_requested()) {
      pollfd ready{descriptor_, POLLIN, 0};
      if (poll(&ready, 1, kLooksEvery) <= 0) continue;
      const ssize_t count = read(descriptor_, bytes.data(), bytes.size());
      if (count <= 0) break;  // its end, or a terminal that is another program's
      take({bytes.data(), static_cast<size_t>(count)});
    }
    end_line();  // the last need not be ended
  }

  void take(std::string_view bytes) {
    for (const char byte : bytes) {
      if (byte == '\n') {
        end_line();
      } else if (line_.size() <= kLongestLine) {
        line_ += byte;
      }
    }
  }

  void end_line() {
    const std::string line = std::exchange(line_, {});
    try {
      if (line.size() > kLongestLine) {
        fail_usage("{}…: a line of more than {} bytes", quote(line), kLongestLine);
      }
      target_.apply(parse_control_line(line, target_.names));
    } catch (const Error& error) {
      target_.refuse(error.what());
    }
  }

  int descriptor_;
  ControlTarget target_;
  std::string line_;
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<ControlSource> read_control_lines(int descriptor, ControlTarget target) {
  // In the background of a terminal a read of it would stop the program; so it fails.
  std::signal(SIGTTIN, SIG_IGN);
  return std::make_unique<LineSource>(descriptor, std::move(target));
}

}  // namespace dsf
