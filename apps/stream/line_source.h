#pragma once
// Commands as lines of text, from standard input.
#include "apps/stream/control_source.h"

namespace dsf {

/// Reads lines of `descriptor` (control_line.h) until it ends. Lines that are none are refused, and
/// so are those of more than 4096 bytes. It does not own the descriptor.
std::unique_ptr<ControlSource> read_control_lines(int descriptor, ControlTarget target);

}  // namespace dsf
