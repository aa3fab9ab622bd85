#pragma once
// A small, safe subset of YAML: plain data only. Anchors, aliases, tags and several documents in
// one file are refused, and so is deep nesting, so that a hostile file can neither grow in memory
// nor overflow the stack.
#include <charconv>
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

/// Whether the whole of a plain scalar is a number that T holds; if so, sets `value`. "nan" and
/// "inf" are numbers.
template <class T>
bool parse_number(const YamlNode& node, T& value) {
  if (node.kind != YamlNode::Kind::scalar || node.quoted) return false;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, value);
  return error == std::errc() && stop == end;
}

/// The value for an error message: a scalar in quotes, "a list", "a map" or "nothing".
std::string describe(const YamlNode& node);

}  // namespace dsf
