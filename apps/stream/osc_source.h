#pragma once
// Commands by Open Sound Control over UDP: messages /NAME VALUE [SECONDS], alone or in bundles.
#include <cstdint>
#include <span>

#include "apps/stream/control_source.h"

namespace dsf {

/// What a packet says, a line per message. Numbers may be floats, doubles or integers; a bundle's
/// time is not kept to. Anything else is a UsageError, and the packet then changes nothing.
std::vector<ControlLine> parse_osc(std::span<const char> packet,
                                   const std::vector<std::string>& names);

/// Listens at this port of the loopback interface, which nobody else's may be (an Error).
std::unique_ptr<ControlSource> listen_to_osc(uint16_t port, ControlTarget target);

}  // namespace dsf
