#pragma once
// Commands by Open Sound Control over UDP.
#include <cstdint>

#include "apps/stream/control_source.h"

namespace dsf {

/// Listens at this port of the loopback interface, which nobody else's may be (an Error), to
/// packets (osc_packet.h).
std::unique_ptr<ControlSource> listen_to_osc(uint16_t port, ControlTarget target);

}  // namespace dsf
