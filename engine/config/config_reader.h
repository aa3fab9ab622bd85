#pragma once
// Typed access to a configuration file and its command-line overrides, with messages that say
// where a value stands, what it is and what was expected. Every error is a UsageError.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config/yaml_tree.h"

namespace dsf {

class ConfigReader {
 public:
  /// `text` is the file's content: a map whose keys should be among `known`; others are reported
  /// to `warn`. Each override "key=value" replaces or adds a known key.
  ConfigReader(std::string_view text, std::string file, std::vector<std::string_view> known,
               const std::vector<std::string>& overrides,
               const std::function<void(const std::string&)>& warn);

  /// Whether the key is there with a value other than null.
  bool has(std::string_view key) const;
  /// The value of `key`, or null.
  const YamlNode* find(std::string_view key) const;

  // The value of a key that must be there. A missing one is remembered for require_nothing_missing
  // and its return value must not be used before that.
  int64_t integer(std::string_view key, int64_t min, int64_t max);
  float real(std::string_view key, std::string_view expected,
             const std::function<bool(float)>& holds);
  bool boolean(std::string_view key);
  std::string text(std::string_view key);
  /// A list of texts, each given alone or as a list of synonyms.
  std::vector<std::vector<std::string>> names(std::string_view key);

  void add_missing(std::string_view key) { missing_.emplace_back(key); }
  /// Raises one error that lists every key that was asked for and is not there.
  void require_nothing_missing() const;

  /// Where the key's value stands: "file:line", the override's text, or, if it is nowhere, the
  /// file.
  std::string place(std::string_view key) const;
  /// Raises "<place>: <key> is <found>, expected <expected>".
  [[noreturn]] void fail_value(std::string_view key, std::string_view expected) const;

  /// The file's map with the overrides in it, as YAML.
  std::string emit() const;

 private:
  struct Entry {
    YamlNode key;
    YamlNode value;
    std::string place;  // "file:line", or the override's text
  };
  const Entry* entry(std::string_view key) const;
  /// The entry if it has a value; otherwise the key is remembered as missing.
  const Entry* required(std::string_view key);
  void read_file(YamlNode root, const std::function<void(const std::string&)>& warn);
  void apply_override(const std::string& text);
  std::string suggestion(std::string_view key) const;

  std::string file_;
  std::vector<std::string_view> known_;
  std::vector<Entry> entries_;
  std::vector<std::string> missing_;
};

}  // namespace dsf
