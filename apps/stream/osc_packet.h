#pragma once
// Packets of Open Sound Control 1.0, of which this reads what moves a stream: messages
// /NAME VALUE [SECONDS], alone or in bundles. By hand, since fuzzing Debian's oscpack found a
// packet that it never finishes and one that it reads far outside of.
#include <span>
#include <string>
#include <vector>

#include "engine/live/control_line.h"

namespace dsf {

/// What a packet says: a line for messages one after another that take the same time, so that they
/// begin together. Numbers may be floats, doubles or integers (types f, d,
/// i, h); a bundle's time is not kept to. Anything else is a UsageError, and the packet then
/// changes nothing.
std::vector<ControlLine> parse_osc(std::span<const char> packet,
                                   const std::vector<std::string>& names);

}  // namespace dsf
