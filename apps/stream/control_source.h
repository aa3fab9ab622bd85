#pragma once
// Where a live stream's commands come from, while it runs: lines of text, OSC, MIDI.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/live/control_line.h"

namespace dsf {

/// What sources know of the stream. `apply` and `refuse` are called from their threads.
struct ControlTarget {
  std::vector<std::string> names;                      // of the controls
  std::function<void(const ControlLine&)> apply;       // neither waits nor fails
  std::function<void(const std::string& why)> refuse;  // of a command that is ignored
  std::function<void()> ended;                         // of lines: no more will come
};

/// Listens in a thread of its own until it is destroyed.
class ControlSource {
 public:
  virtual ~ControlSource() = default;
};

}  // namespace dsf
