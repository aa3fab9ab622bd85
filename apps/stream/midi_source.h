#pragma once
// Commands by MIDI.
#include "apps/stream/control_source.h"
#include "apps/stream/midi_map.h"

namespace dsf {

/// Listens to the map's port. A port that is not there is an Error that lists those that are, and
/// so is a system without MIDI.
std::unique_ptr<ControlSource> listen_to_midi(MidiMap map, ControlTarget target);

}  // namespace dsf
