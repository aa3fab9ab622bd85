#pragma once
// What MIDI messages mean to a live stream, as a YAML file says:
//
//   port: nanoKONTROL     # part of a port's name; without it a port "dsf" is opened for others
//   channel: 1            # 1 to 16; without it all
//   over: 0.2             # seconds in which values move, 0 where not given
//   controllers:          # numbers 0 to 127
//     1: param1           # 0 … 127 are 0 … 1
//     74: {control: DSWind, from: 0, to: 0.8, over: 1}
//   notes:                # a note played is this class alone
//     60: DSWind
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/live/control_line.h"

namespace dsf {

class MidiMap {
 public:
  /// Reads such a file's text. `names` are the controls, of which the first `classes` are classes.
  /// A UsageError that names `where`, the line, what was found and what was expected.
  MidiMap(std::string_view text, const std::string& where, const std::vector<std::string>& names,
          size_t classes);

  /// Part of the name of the port that is meant; empty: none is.
  const std::string& port() const { return port_; }

  /// What a message says; nothing of one that the file does not name, or that is no message.
  ControlLine follow(std::span<const unsigned char> message) const;

 private:
  friend class MidiMapReader;
  struct Controller {
    int64_t index = 0;
    float from = 0, to = 1;
    double over = 0;
  };
  struct Note {
    int64_t index = 0;
    double over = 0;
  };

  std::string port_;
  std::optional<int> channel_;  // counted from 0
  std::array<std::optional<Controller>, 128> controllers_;
  std::array<std::optional<Note>, 128> notes_;
  size_t classes_;
};

}  // namespace dsf
