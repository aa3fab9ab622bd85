#include "engine/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr size_t kMaxDepth = 16;

/// Builds the tree from the parser's events. It throws from inside the parser, before the parser
/// descends, so the limit on depth also limits the parser's recursion.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& where) : where_(where) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(make(mark, YamlNode::Kind::null));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, "aliases"); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    YamlNode node = make(mark, YamlNode::Kind::scalar);
    node.quoted = tag == "!";
    node.text = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  static YamlNode make(const YAML::Mark& mark, YamlNode::Kind kind) {
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    return node;
  }
  [[noreturn]] void refuse(const YAML::Mark& mark, std::string_view what) const {
    fail_usage("{}:{}: {} are not supported in a configuration", where_, mark.line + 1, what);
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) refuse(mark, "anchors");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    // yaml-cpp gives "?" to plain and "!" to quoted values without a tag of their own.
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags");
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= kMaxDepth) {
      fail_usage("{}:{}: nested more than {} deep", where_, mark.line + 1, kMaxDepth);
    }
    open_.push_back(make(mark, kind));
  }
  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    add(std::move(node));
  }
  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().items.push_back(std::move(node));
    }
  }

  const std::string& where_;
  std::vector<YamlNode> open_;
  YamlNode root_;
};

/// A scalar in YAML's double quotes.
std::string double_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// Lists and maps inside the outermost map are written on one line, where a comma, a bracket or a
// line's end in a plain text would end it.
std::string emit_value(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "null";
    case YamlNode::Kind::scalar: {
      const bool plain = !node.quoted && node.text.find_first_of(",[]{}\n") == std::string::npos;
      return plain ? node.text : double_quoted(node.text);
    }
    case YamlNode::Kind::list: {
      std::string text = "[";
      for (const YamlNode& item : node.items) {
        text += (text.size() > 1 ? ", " : "") + emit_value(item);
      }
      return text + "]";
    }
    case YamlNode::Kind::map: {
      std::string text = "{";
      for (size_t i = 0; i + 1 < node.items.size(); i += 2) {
        text += (i > 0 ? ", " : "") + emit_value(node.items[i]) + ": ";
        text += emit_value(node.items[i + 1]);
      }
      return text + "}";
    }
  }
  fail("a YAML node of kind {} cannot be written", static_cast<int>(node.kind));
}

}  // namespace

YamlNode parse_yaml(std::string_view text, const std::string& where) {
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    fail_usage("{}: not a text file: byte {} is zero", where, nul);
  }
  std::istringstream stream{std::string(text)};
  TreeBuilder builder(where);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    YamlNode root = builder.take();
    if (parser.HandleNextDocument(builder)) {
      fail_usage("{}: several documents in one file; expected one", where);
    }
    return root;
  } catch (const YAML::Exception& error) {
    fail_usage("{}:{}: not valid YAML: {}", where, error.mark.line + 1, error.msg);
  }
}

std::string emit_yaml(const YamlNode& map) {
  std::string text;
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    text += emit_value(map.items[i]) + ": " + emit_value(map.items[i + 1]) + "\n";
  }
  return text;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return quote(node.text);
    case YamlNode::Kind::list:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
  }
  fail("a YAML node of kind {} has no description", static_cast<int>(node.kind));
}

}  // namespace dsf
