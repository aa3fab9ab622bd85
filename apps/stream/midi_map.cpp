#include "apps/stream/midi_map.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "engine/config/yaml_tree.h"
#include "engine/files/quote.h"
#include "engine/generation/morph.h"
#include "kernels/common/checks.h"

namespace dsf {

class MidiMapReader {
 public:
  MidiMapReader(const std::string& where, const std::vector<std::string>& names, MidiMap& map)
      : where_(where), names_(names), map_(map) {}

  void read(const YamlNode& root) {
    const YamlNode *controllers = nullptr, *notes = nullptr;
    for_each_entry(root, "a MIDI map", [&](const YamlNode& key, const YamlNode& value) {
      if (key.text == "port") {
        if (value.kind != YamlNode::Kind::scalar) refuse(value, "port", "part of a port's name");
        map_.port_ = value.text;
      } else if (key.text == "channel") {
        map_.channel_ = static_cast<int>(whole(value, "channel", 1, 16)) - 1;
      } else if (key.text == "over") {
        over_ = number(value, "over", 0, kLongestGlide);
      } else if (key.text == "controllers") {
        controllers = &value;
      } else if (key.text == "notes") {
        notes = &value;
      } else {
        refuse(key, "a key", "port, channel, over, controllers or notes");
      }
    });
    if (controllers != nullptr) read_controllers(*controllers);
    if (notes != nullptr) read_notes(*notes);
    if (controllers == nullptr && notes == nullptr) {
      fail_usage("{}: neither controllers nor notes: nothing that MIDI could move", where_);
    }
  }

 private:
  using Entry = std::function<void(const YamlNode& key, const YamlNode& value)>;

  std::string place(const YamlNode& node) const {
    return node.line > 0 ? fmt::format("{}:{}", where_, node.line) : where_;
  }
  [[noreturn]] void refuse(const YamlNode& node, std::string_view what,
                           std::string_view expected) const {
    fail_usage("{}: {} is {}, expected {}", place(node), what, describe(node), expected);
  }

  void for_each_entry(const YamlNode& map, std::string_view what, const Entry& entry) const {
    if (map.kind != YamlNode::Kind::map) refuse(map, what, "a map");
    std::set<std::string_view> seen;
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
      const YamlNode& key = map.items[i];
      if (key.kind != YamlNode::Kind::scalar) refuse(key, "a key", "a name or a number");
      if (!seen.insert(key.text).second) {
        fail_usage("{}: {} is given twice", place(key), quote(key.text));
      }
      entry(key, map.items[i + 1]);
    }
  }

  double number(const YamlNode& node, std::string_view what, double least, double most) const {
    double value = 0;
    if (!parse_number(node, value) || !(value >= least && value <= most)) {
      refuse(node, what, fmt::format("a number from {} to {}", least, most));
    }
    return value;
  }
  size_t whole(const YamlNode& node, std::string_view what, size_t least, size_t most) const {
    size_t value = 0;
    if (!parse_number(node, value) || value < least || value > most) {
      refuse(node, what, fmt::format("a number from {} to {}", least, most));
    }
    return value;
  }
  /// The place of a controller or note, which is to be free: 1 and 01 are the same.
  template <class Meaning>
  std::optional<Meaning>& place_of(std::array<std::optional<Meaning>, 128>& places,
                                   const YamlNode& key, std::string_view what) const {
    std::optional<Meaning>& found = places.at(whole(key, what, 0, 127));
    if (found) fail_usage("{}: {} {} is given twice", place(key), what, quote(key.text));
    return found;
  }
  int64_t control(const YamlNode& node) const {
    if (node.kind != YamlNode::Kind::scalar) refuse(node, "a control", "a name");
    try {
      return find_control(node.text, names_);
    } catch (const UsageError& error) {
      fail_usage("{}: {}", place(node), error.what());
    }
  }

  void read_controllers(const YamlNode& map) {
    for_each_entry(map, "controllers", [&](const YamlNode& key, const YamlNode& value) {
      MidiMap::Controller controller;
      controller.over = over_;
      if (value.kind == YamlNode::Kind::map) {
        bool named = false;
        for_each_entry(value, "a controller", [&](const YamlNode& part, const YamlNode& setting) {
          if (part.text == "control") {
            controller.index = control(setting);
            named = true;
          } else if (part.text == "from" || part.text == "to") {
            float& end = part.text == "from" ? controller.from : controller.to;
            end =
                static_cast<float>(number(setting, part.text, -kMaxConditioning, kMaxConditioning));
          } else if (part.text == "over") {
            controller.over = number(setting, "over", 0, kLongestGlide);
          } else {
            refuse(part, "a key", "control, from, to or over");
          }
        });
        if (!named) fail_usage("{}: a controller without a control", place(key));
      } else {
        controller.index = control(value);
      }
      place_of(map_.controllers_, key, "controller") = controller;
    });
  }

  void read_notes(const YamlNode& map) {
    for_each_entry(map, "notes", [&](const YamlNode& key, const YamlNode& value) {
      const int64_t index = control(value);
      if (static_cast<size_t>(index) >= map_.classes_) refuse(value, "a note's class", "a class");
      place_of(map_.notes_, key, "note") = MidiMap::Note{index, over_};
    });
  }

  const std::string& where_;
  const std::vector<std::string>& names_;
  MidiMap& map_;
  double over_ = 0;
};

MidiMap::MidiMap(std::string_view text, const std::string& where,
                 const std::vector<std::string>& names, size_t classes)
    : classes_(classes) {
  MidiMapReader(where, names, *this).read(parse_yaml(text, where));
}

ControlLine MidiMap::follow(std::span<const unsigned char> message) const {
  constexpr unsigned kNoteOn = 0x90, kControlChange = 0xB0;
  if (message.size() != 3 || message[1] > 127 || message[2] > 127) return {};
  const unsigned kind = message[0] & 0xF0U;
  if (channel_ && static_cast<int>(message[0] & 0x0FU) != *channel_) return {};
  ControlLine line;
  if (kind == kControlChange && controllers_.at(message[1])) {
    const Controller& controller = *controllers_.at(message[1]);
    const float share = static_cast<float>(message[2]) / 127;
    line.values.push_back(
        {controller.index, controller.from + share * (controller.to - controller.from)});
    line.seconds = controller.over;
  } else if (kind == kNoteOn && message[2] > 0 && notes_.at(message[1])) {
    const Note& note = *notes_.at(message[1]);
    for (size_t i = 0; i < classes_; ++i) {
      const auto index = static_cast<int64_t>(i);
      line.values.push_back({index, index == note.index ? 1.0F : 0.0F});
    }
    line.seconds = note.over;
  }
  return line;
}

}  // namespace dsf
