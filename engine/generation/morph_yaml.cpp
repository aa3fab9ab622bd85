// Morph files in YAML; the schema is described in morph_file.h.
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <set>

#include "engine/config/yaml_tree.h"
#include "engine/files/quote.h"
#include "engine/generation/morph_builder.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

using Entry = std::function<void(const std::string& key, const YamlNode& value)>;

class YamlMorph {
 public:
  YamlMorph(const std::string& where, MorphBuilder& builder) : where_(where), builder_(builder) {}

  void read(const YamlNode& root) {
    const YamlNode* unit = nullptr;
    const YamlNode* breakpoints = nullptr;
    for_each_entry(root, "a morph", [&](const std::string& key, const YamlNode& value) {
      if (key == "unit") {
        unit = &value;
      } else if (key == "interpolation") {
        interpolation_ = parse_interpolation(place(value), value.text);
      } else if (key == "breakpoints") {
        breakpoints = &value;
      } else {
        refuse_key(value, key, "unit, interpolation, breakpoints");
      }
    });
    if (!unit || (unit->text != "seconds" && unit->text != "relative")) {
      fail_usage("{}: unit is {}, expected seconds or relative", unit ? place(*unit) : where_,
                 unit ? describe(*unit) : "missing");
    }
    builder_.set_unit(unit->text == "seconds" ? MorphFile::Unit::seconds
                                              : MorphFile::Unit::relative);
    if (!breakpoints || breakpoints->kind != YamlNode::Kind::list) {
      fail_usage("{}: breakpoints is {}, expected a list",
                 breakpoints ? place(*breakpoints) : where_,
                 breakpoints ? describe(*breakpoints) : "missing");
    }
    for (const YamlNode& node : breakpoints->items) read_breakpoint(node);
  }

 private:
  std::string place(const YamlNode& node) const {
    return node.line > 0 ? fmt::format("{}:{}", where_, node.line) : where_;
  }

  [[noreturn]] void refuse_key(const YamlNode& value, const std::string& key,
                               std::string_view known) const {
    fail_usage("{}: the key {} is not known; known: {}", place(value), quote(key), known);
  }

  /// Calls `entry` with each key of a map; `what` is what the map stands for.
  void for_each_entry(const YamlNode& map, std::string_view what, const Entry& entry) const {
    if (map.kind != YamlNode::Kind::map) {
      fail_usage("{}: {} is {}, expected a map", place(map), what, describe(map));
    }
    std::set<std::string_view> seen;
    for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
      const YamlNode& key = map.items[i];
      if (key.kind != YamlNode::Kind::scalar) {
        fail_usage("{}: a key is {}, expected a name", place(key), describe(key));
      }
      if (!seen.insert(key.text).second) {
        fail_usage("{}: {} is given twice", place(key), quote(key.text));
      }
      entry(key.text, map.items[i + 1]);
    }
  }

  double number(const YamlNode& node, std::string_view what) const {
    double value = 0;
    if (!parse_number(node, value)) {
      fail_usage("{}: {} is {}, expected a number", place(node), what, describe(node));
    }
    return value;
  }

  void read_breakpoint(const YamlNode& node) {
    MorphPoint point;
    point.interpolation = interpolation_;
    bool timed = false, one_class = false, weights = false;
    for_each_entry(node, "a breakpoint", [&](const std::string& key, const YamlNode& value) {
      if (key == "time") {
        point.time = number(value, key);
        timed = true;
      } else if (key == "interpolation") {
        point.interpolation = parse_interpolation(place(value), value.text);
      } else if (key == "class") {
        const size_t index = builder_.class_component(place(value), value.text);
        for (size_t i = 0; i < builder_.num_classes(); ++i) {
          point.values[i] = i == index ? 1 : 0;
        }
        one_class = true;
      } else if (key == "classes") {
        for_each_entry(value, key, [&](const std::string& name, const YamlNode& weight) {
          point.values[builder_.class_component(place(weight), name)] = number(weight, name);
        });
        weights = true;
      } else if (key == "parameters") {
        for_each_entry(value, key, [&](const std::string& name, const YamlNode& setting) {
          point.values[builder_.parameter_component(place(setting), name)] = number(setting, name);
        });
      } else {
        refuse_key(value, key, "time, class, classes, parameters, interpolation");
      }
    });
    if (!timed) fail_usage("{}: a breakpoint without a time", place(node));
    if (one_class && weights) {
      fail_usage("{}: class and classes in one breakpoint; expected one of them", place(node));
    }
    builder_.add(place(node), std::move(point));
  }

  const std::string& where_;
  MorphBuilder& builder_;
  Interpolation interpolation_ = Interpolation::linear;
};

}  // namespace

void parse_morph_yaml(std::string_view text, const std::string& where, MorphBuilder& builder) {
  YamlMorph(where, builder).read(parse_yaml(text, where));
}

}  // namespace dsf
