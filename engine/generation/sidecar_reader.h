#pragma once
// Values of a side-car, which is a file like any other: what is missing or of another kind is an
// Error that names file and key.
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/files/quote.h"
#include "engine/generation/file_identity.h"
#include "kernels/common/checks.h"

namespace dsf {

class SidecarReader {
 public:
  using Json = nlohmann::json;

  SidecarReader(const Json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  const Json& value(const char* key) const {
    if (!object_.is_object() || !object_.contains(key)) fail("{}: no '{}'", where_, key);
    return object_.at(key);
  }
  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }
  SidecarReader part(const char* key) const {
    const Json& object = value(key);
    if (!object.is_object()) refuse(key, "an object");
    return {object, fmt::format("{}, {}", where_, key)};
  }

  std::string text(const char* key) const {
    if (!value(key).is_string()) refuse(key, "a text");
    return value(key).get<std::string>();
  }
  bool flag(const char* key) const {
    if (!value(key).is_boolean()) refuse(key, "true or false");
    return value(key).get<bool>();
  }
  double number(const char* key) const {
    if (!value(key).is_number()) refuse(key, "a number");
    return value(key).get<double>();
  }
  uint64_t natural(const char* key, uint64_t most = std::numeric_limits<uint64_t>::max()) const {
    if (!value(key).is_number_unsigned() || value(key).get<uint64_t>() > most) {
      refuse(key, fmt::format("a whole number from 0 to {}", most));
    }
    return value(key).get<uint64_t>();
  }
  /// Of an object that has nothing else.
  std::map<std::string, float> numbers(const char* key) const {
    const SidecarReader inner = part(key);
    std::map<std::string, float> numbers;
    for (const auto& [name, value] : value(key).items()) {
      if (!value.is_number()) inner.refuse(name, "a number");
      numbers[name] = static_cast<float>(value.get<double>());
    }
    return numbers;
  }
  /// For counts: so small that sums of a few do not overflow.
  int64_t count(const char* key) const {
    return static_cast<int64_t>(natural(key, uint64_t{1} << 60));
  }
  /// Of this object itself.
  SourceFile source_file() const { return {text("file"), {natural("bytes"), text("hash")}}; }

  [[noreturn]] void refuse(std::string_view key, const std::string& expected) const {
    fail("{}: {} is not {}", where_, quote(key), expected);
  }

 private:
  const Json& object_;
  std::string where_;
};

}  // namespace dsf
