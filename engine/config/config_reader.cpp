#include "engine/config/config_reader.h"

#include <algorithm>
#include <numeric>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// The least number of letters to insert, delete or replace to get from `a` to `b` (Levenshtein).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

YamlNode scalar(std::string_view text) {
  YamlNode node;
  node.kind = YamlNode::Kind::scalar;
  node.text = text;
  return node;
}

std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + text;
  return joined;
}

}  // namespace

ConfigReader::ConfigReader(std::string_view text, std::string file,
                           std::vector<std::string_view> known,
                           const std::vector<std::string>& overrides,
                           const std::function<void(const std::string&)>& warn)
    : file_(std::move(file)), known_(std::move(known)) {
  read_file(parse_yaml(text, file_), warn);
  for (const std::string& one : overrides) apply_override(one);
}

void ConfigReader::read_file(YamlNode root, const std::function<void(const std::string&)>& warn) {
  if (root.kind != YamlNode::Kind::map) {
    fail_usage("{}: found {}, expected lines of the form 'key: value'", file_, describe(root));
  }
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    YamlNode& key = root.items[i];
    const std::string place = fmt::format("{}:{}", file_, key.line);
    if (key.kind != YamlNode::Kind::scalar) {
      fail_usage("{}: the key is {}, expected a name", place, describe(key));
    }
    if (const Entry* first = entry(key.text)) {
      fail_usage("{}: {} was given before, at {}", place, key.text, first->place);
    }
    if (std::find(known_.begin(), known_.end(), key.text) == known_.end()) {
      warn(fmt::format("{}: the key {} is not known and has no effect{}", place, describe(key),
                       suggestion(key.text)));
    }
    entries_.push_back({std::move(key), std::move(root.items[i + 1]), place});
  }
}

void ConfigReader::apply_override(const std::string& text) {
  const std::string place = fmt::format("--set {}", text);
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    fail_usage("{}: expected key=value", place);
  }
  const std::string key = text.substr(0, equals);
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
    fail_usage("{}: the key '{}' is not known{}", place, key, suggestion(key));
  }
  YamlNode value = parse_yaml(std::string_view(text).substr(equals + 1), place);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& candidate) {
    return candidate.key.text == key;
  });
  if (found == entries_.end()) {
    entries_.push_back({scalar(key), std::move(value), place});
  } else {
    found->value = std::move(value);
    found->place = place;
  }
}

std::string ConfigReader::suggestion(std::string_view key) const {
  std::string_view nearest;
  size_t least = std::max<size_t>(2, key.size() / 3) + 1;  // farther ones are no slip of the hand
  if (key.size() > 64) return "";
  for (const std::string_view candidate : known_) {
    const size_t distance = edit_distance(key, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest);
}

const ConfigReader::Entry* ConfigReader::entry(std::string_view key) const {
  for (const Entry& candidate : entries_) {
    if (candidate.key.text == key) return &candidate;
  }
  return nullptr;
}

const YamlNode* ConfigReader::find(std::string_view key) const {
  const Entry* found = entry(key);
  return found ? &found->value : nullptr;
}

bool ConfigReader::has(std::string_view key) const {
  const YamlNode* node = find(key);
  return node && node->kind != YamlNode::Kind::null;
}

const ConfigReader::Entry* ConfigReader::required(std::string_view key) {
  const Entry* found = entry(key);
  if (found && found->value.kind != YamlNode::Kind::null) return found;
  add_missing(key);
  return nullptr;
}

std::string ConfigReader::place(std::string_view key) const {
  const Entry* found = entry(key);
  return found ? found->place : file_;
}

void ConfigReader::fail_value(std::string_view key, std::string_view expected) const {
  const YamlNode* node = find(key);
  fail_usage("{}: {} is {}, expected {}", place(key), key, node ? describe(*node) : "missing",
             expected);
}

int64_t ConfigReader::integer(std::string_view key, int64_t min, int64_t max) {
  const Entry* found = required(key);
  if (!found) return min;
  int64_t value = 0;
  if (!parse_number(found->value, value) || value < min || value > max) {
    fail_value(key, fmt::format("a whole number from {} to {}", min, max));
  }
  return value;
}

float ConfigReader::real(std::string_view key, std::string_view expected,
                         const std::function<bool(float)>& holds) {
  const Entry* found = required(key);
  if (!found) return 0;
  float value = 0;
  if (!parse_number(found->value, value) || !holds(value)) fail_value(key, expected);
  return value;
}

bool ConfigReader::boolean(std::string_view key) {
  const Entry* found = required(key);
  if (!found) return false;
  const YamlNode& node = found->value;
  const bool plain = node.kind == YamlNode::Kind::scalar && !node.quoted;
  for (const bool value : {false, true}) {
    for (const char* word : {value ? "true" : "false", value ? "True" : "False"}) {
      if (plain && node.text == word) return value;
    }
  }
  fail_value(key, "true or false");
}

std::string ConfigReader::text(std::string_view key) {
  const Entry* found = required(key);
  if (!found) return "";
  if (found->value.kind != YamlNode::Kind::scalar || found->value.text.empty()) {
    fail_value(key, "a text");
  }
  return found->value.text;
}

std::vector<std::vector<std::string>> ConfigReader::names(std::string_view key) {
  const Entry* found = required(key);
  if (!found) return {};
  const auto name_of = [&](const YamlNode& node) {
    if (node.kind != YamlNode::Kind::scalar || node.text.empty()) {
      fail_usage("{}: {} holds {}, expected names", found->place, key, describe(node));
    }
    return node.text;
  };
  if (found->value.kind != YamlNode::Kind::list) fail_value(key, "a list of names");
  std::vector<std::vector<std::string>> names;
  for (const YamlNode& item : found->value.items) {
    std::vector<std::string>& synonyms = names.emplace_back();
    if (item.kind == YamlNode::Kind::list && !item.items.empty()) {
      for (const YamlNode& synonym : item.items) synonyms.push_back(name_of(synonym));
    } else {
      synonyms.push_back(name_of(item));
    }
  }
  return names;
}

void ConfigReader::require_nothing_missing() const {
  if (!missing_.empty()) {
    fail_usage("{}: missing {}: {}", file_, missing_.size() == 1 ? "key" : "keys", join(missing_));
  }
}

std::string ConfigReader::emit() const {
  YamlNode map;
  map.kind = YamlNode::Kind::map;
  for (const Entry& one : entries_) {
    map.items.push_back(one.key);
    map.items.push_back(one.value);
  }
  return emit_yaml(map);
}

}  // namespace dsf
