#include "engine/files/bounded_json.h"

#include <nlohmann/json.hpp>

namespace dsf {

using nlohmann::json;

constexpr int kMaxDepth = 8;  // the seams of a loop in a side-car are at the fifth level

json parse_bounded_json(std::string_view text, size_t most_events) {
  struct TooMuch {};
  size_t events = 0;
  const auto check = [&](int depth, json::parse_event_t, const json&) {
    if (depth > kMaxDepth || ++events > most_events) throw TooMuch();
    return true;
  };
  try {
    json value = json::parse(text, check, false);
    return value.is_discarded() ? json() : value;
  } catch (const TooMuch&) {
    return {};
  }
}

}  // namespace dsf
