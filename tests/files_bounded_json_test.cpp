// JSON of foreign files: what is read of it, and what is refused before it fills memory or time.
#include "engine/files/bounded_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/hostile_json.h"

namespace dsf {
namespace {

using testing::kSoon;
using testing::many_keys;
using testing::seconds_of;

TEST(BoundedJson, GivesTheValue) {
  const auto value = parse_bounded_json(R"({"a": [1, -2.5, null, true], "b": {"c": "d"}})", 20);
  EXPECT_EQ(value.at("a").at(1), -2.5);
  EXPECT_EQ(value.at("b").at("c"), "d");
  EXPECT_EQ(parse_bounded_json(R"({"a": 1, "a": 2})", 20).at("a"), 2);
}

TEST(BoundedJson, WhatIsNoJsonIsNull) {
  for (const char* text :
       {"", " ", "{", "[1,]", "{\"a\" 1}", "[1] 2", "\"\xFF\"", "nan", "1e999"}) {
    EXPECT_TRUE(parse_bounded_json(text, 100).is_null()) << text;
  }
}

TEST(BoundedJson, EventsAreCounted) {
  // The list and its end, the object and its end, a key, two values.
  EXPECT_TRUE(parse_bounded_json(R"([{"a": 0}, 1])", 7).is_array());
  EXPECT_TRUE(parse_bounded_json(R"([{"a": 0}, 1])", 6).is_null());
}

TEST(BoundedJson, DepthIsLimited) {
  const auto nested = [](size_t depth) {
    return parse_bounded_json(std::string(depth, '[') + std::string(depth, ']'), 10'000'000);
  };
  EXPECT_TRUE(nested(9).is_array());
  EXPECT_TRUE(nested(10).is_null());
  EXPECT_TRUE(nested(1'000'000).is_null());
}

TEST(BoundedJson, ManyKeysTakeNoSquare) {
  nlohmann::json value;
  EXPECT_LT(seconds_of([&] { value = parse_bounded_json(many_keys(500'000), 10'000'000); }), kSoon);
  EXPECT_EQ(value.size(), 500'000U);
}

}  // namespace
}  // namespace dsf
