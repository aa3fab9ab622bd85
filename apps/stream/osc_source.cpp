#include "apps/stream/osc_source.h"

#include <oscpack/ip/PacketListener.h>
#include <oscpack/ip/UdpSocket.h>
#include <oscpack/osc/OscReceivedElements.h>

#include <cmath>
#include <thread>

#include "engine/files/quote.h"
#include "engine/generation/morph.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int kDeepest = 8;  // of bundles in bundles

double number_of(const osc::ReceivedMessageArgument& argument) {
  if (argument.IsFloat()) return argument.AsFloatUnchecked();
  if (argument.IsDouble()) return argument.AsDoubleUnchecked();
  if (argument.IsInt32()) return argument.AsInt32Unchecked();
  if (argument.IsInt64()) return static_cast<double>(argument.AsInt64Unchecked());
  return NAN;
}

ControlLine parse_message(const osc::ReceivedMessage& message,
                          const std::vector<std::string>& names) {
  const std::string_view address = message.AddressPattern();
  if (!address.starts_with('/')) {
    fail_usage("OSC {}: expected /NAME VALUE [SECONDS]", quote(address));
  }
  ControlLine line;
  const int64_t index = find_control(address.substr(1), names);
  if (message.ArgumentCount() < 1 || message.ArgumentCount() > 2) {
    fail_usage("OSC {}: {} values, expected a number and perhaps seconds", quote(address),
               message.ArgumentCount());
  }
  auto argument = message.ArgumentsBegin();
  const double value = number_of(*argument++);
  if (!(std::abs(value) <= kMaxConditioning)) {
    fail_usage("OSC {}: expected a number within ±{}", quote(address), kMaxConditioning);
  }
  if (argument != message.ArgumentsEnd()) line.seconds = number_of(*argument);
  if (!(line.seconds >= 0 && line.seconds <= kLongestGlide)) {
    fail_usage("OSC {}: expected seconds from 0 to {} behind the number", quote(address),
               kLongestGlide);
  }
  line.values.push_back({index, static_cast<float>(value)});
  return line;
}

template <class Element>
void parse_element(const Element& element, const std::vector<std::string>& names, int depth,
                   std::vector<ControlLine>& lines) {
  if (depth > kDeepest) fail_usage("OSC: more than {} bundles in one another", kDeepest);
  if (element.IsMessage()) {
    lines.push_back(parse_message(osc::ReceivedMessage(element), names));
    return;
  }
  const osc::ReceivedBundle bundle(element);
  for (auto inner = bundle.ElementsBegin(); inner != bundle.ElementsEnd(); ++inner) {
    parse_element(*inner, names, depth + 1, lines);
  }
}

class OscSource : public ControlSource, private PacketListener {
 public:
  OscSource(uint16_t port, ControlTarget target)
      : target_(std::move(target)), socket_(IpEndpointName("127.0.0.1", port), this) {
    thread_ = std::thread([this] { listen(); });
  }
  ~OscSource() override {
    socket_.AsynchronousBreak();
    thread_.join();
  }

 private:
  void listen() {
    try {
      socket_.Run();
    } catch (const std::exception& error) {
      target_.refuse(fmt::format("OSC ends: {}", error.what()));
    }
  }

  void ProcessPacket(const char* data, int size, const IpEndpointName& /*sender*/) override {
    try {
      const std::span<const char> packet(data, static_cast<size_t>(size));
      for (const ControlLine& line : parse_osc(packet, target_.names)) target_.apply(line);
    } catch (const Error& error) {
      target_.refuse(error.what());
    }
  }

  ControlTarget target_;
  UdpListeningReceiveSocket socket_;
  std::thread thread_;
};

}  // namespace

std::vector<ControlLine> parse_osc(std::span<const char> packet,
                                   const std::vector<std::string>& names) {
  std::vector<ControlLine> lines;
  try {
    const osc::ReceivedPacket received(packet.data(),
                                       static_cast<osc::osc_bundle_element_size_t>(packet.size()));
    parse_element(received, names, 0, lines);
  } catch (const osc::Exception& error) {
    fail_usage("OSC: a packet of {} bytes that is none: {}", packet.size(), error.what());
  }
  return lines;
}

std::unique_ptr<ControlSource> listen_to_osc(uint16_t port, ControlTarget target) {
  try {
    return std::make_unique<OscSource>(port, std::move(target));
  } catch (const std::runtime_error& error) {
    fail("--osc {}: {}: another program may have this port", port, error.what());
  }
}

}  // namespace dsf
