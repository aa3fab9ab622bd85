#include "apps/stream/midi_source.h"

#include <fmt/ranges.h>
#include <rtmidi/RtMidi.h>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

class MidiSource : public ControlSource {
 public:
  MidiSource(MidiMap map, ControlTarget target)
      : map_(std::move(map)), target_(std::move(target)), input_(RtMidi::UNSPECIFIED, "dsf") {
    input_.setCallback([](double, std::vector<unsigned char>* message,
                          void* self) { static_cast<MidiSource*>(self)->take(*message); },
                       this);
    open();
    // From now on there is nobody to throw to; its own way is to print what goes wrong.
    input_.setErrorCallback(
        [](RtMidiError::Type, const std::string& text, void* self) {
          static_cast<MidiSource*>(self)->target_.refuse("MIDI: " + text);
        },
        this);
  }

 private:
  void open() {
    if (map_.port().empty()) {
      input_.openVirtualPort("dsf");
      return;
    }
    std::vector<std::string> ports;
    for (unsigned i = 0; i < input_.getPortCount(); ++i) {
      ports.push_back(input_.getPortName(i));
      if (ports.back().find(map_.port()) == std::string::npos) continue;
      input_.openPort(i, "dsf");
      return;
    }
    fail("no MIDI port's name has {} in it; there {}: {}", quote(map_.port()),
         ports.size() == 1 ? "is" : "are",
         ports.empty() ? "none" : fmt::format("{}", fmt::join(ports, ", ")));
  }

  void take(std::span<const unsigned char> message) { target_.apply(map_.follow(message)); }

  MidiMap map_;
  ControlTarget target_;
  RtMidiIn input_;  // the last: it ends its thread, which calls the others, first
};

}  // namespace

std::unique_ptr<ControlSource> listen_to_midi(MidiMap map, ControlTarget target) {
  try {
    return std::make_unique<MidiSource>(std::move(map), std::move(target));
  } catch (const RtMidiError& error) {
    fail("no MIDI here: {}", error.getMessage());
  }
}

}  // namespace dsf
