#pragma once
// A small, safe subset of YAML: plain data only. Anchors, aliases, tags and several documents in
// one file are refused, and so is deep nesting, so that a hostile file can neither grow in memory
// nor overflow the stack.
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  int line = 0;                 // counted from 1
  bool quoted = false;          // a scalar that cannot be read as a number
  std::string text;             // of a scalar
  std::vector<YamlNode> items;  // of a list; of a map: key, value, key, value …
};

/// Parses one document. Anything outside the subset above, and text that is not YAML, is a
/// UsageError that begins with `where` and names the line.
YamlNode parse_yaml(std::string_view text, const std::string& where);

/// A map as YAML text, one line per key. Numbers, quoted and plain text keep their type;
/// comments are not part of the tree and are lost.
std::string emit_yaml(const YamlNode& map);

/// The value for an error message: a scalar in quotes, "a list", "a map" or "nothing".
std::string describe(const YamlNode& node);

}  // namespace dsf
