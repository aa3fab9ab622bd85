#include "apps/stream/osc_source.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "apps/stream/osc_packet.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr size_t kLongestPacket = 65'507;  // of UDP
constexpr int kLooksEvery = 100;           // ms: for the end of the program

/// A socket at the port; an Error where there is none to be had.
int bound_socket(uint16_t port) {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (descriptor >= 0 &&
      bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return descriptor;
  }
  const std::string reason = std::strerror(errno);
  if (descriptor >= 0) close(descriptor);
  fail("--osc {}: {}", port, reason);
}

class OscSource : public ControlSource {
 public:
  OscSource(uint16_t port, ControlTarget target)
      : target_(std::move(target)),
        descriptor_(bound_socket(port)),
        thread_([this](const std::stop_token& stop) { listen(stop); }) {}
  ~OscSource() override {
    thread_.request_stop();
    thread_.join();
    close(descriptor_);
  }

 private:
  void listen(const std::stop_token& stop) {
    std::vector<char> bytes(kLongestPacket);
    while (!stop.stop_requested()) {
      pollfd ready{descriptor_, POLLIN, 0};
      if (poll(&ready, 1, kLooksEvery) <= 0) continue;
      const ssize_t count = recv(descriptor_, bytes.data(), bytes.size(), 0);
      if (count >= 0) take({bytes.data(), static_cast<size_t>(count)});
    }
  }

  void take(std::span<const char> packet) const {
    try {
      for (const ControlLine& line : parse_osc(packet, target_.names)) target_.apply(line);
    } catch (const Error& error) {
      target_.refuse(error.what());
    }
  }

  ControlTarget target_;
  int descriptor_;
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<ControlSource> listen_to_osc(uint16_t port, ControlTarget target) {
  return std::make_unique<OscSource>(port, std::move(target));
}

}  // namespace dsf
