#include "engine/generation/morph_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "engine/files/table.h"
#include "engine/generation/morph_builder.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{4} << 20;
constexpr double kMaxSeconds = 86'400;  // as long as a generation can be

/// Index of `name` in `names`, or their number if it is none of them.
size_t index_of(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
}

std::string list(const std::vector<std::string>& names) {
  return names.empty() ? "it has none" : fmt::format("known: {}", fmt::join(names, ", "));
}

}  // namespace

// ---- MorphBuilder ----

size_t MorphBuilder::class_component(const std::string& place, std::string_view name) const {
  const size_t index = index_of(class_names_, name);
  if (index < class_names_.size()) return index;
  fail_usage("{}: the model has no class {}; {}", place, quote(name), list(class_names_));
}

size_t MorphBuilder::parameter_component(const std::string& place, std::string_view name) const {
  const size_t index = index_of(parameter_names_, name);
  if (index < parameter_names_.size()) return class_names_.size() + index;
  fail_usage("{}: the model has no parameter {}; {}", place, quote(name), list(parameter_names_));
}

size_t MorphBuilder::component(const std::string& place, std::string_view name) const {
  const bool is_class = index_of(class_names_, name) < class_names_.size();
  const bool is_parameter = index_of(parameter_names_, name) < parameter_names_.size();
  if (is_class && is_parameter) {
    fail_usage("{}: {} is a class and a parameter; only a YAML morph can tell them apart", place,
               quote(name));
  }
  if (is_class) return class_component(place, name);
  if (is_parameter) return parameter_component(place, name);
  fail_usage("{}: the model has no class or parameter {}; classes: {}; parameters: {}", place,
             quote(name), fmt::join(class_names_, ", "), fmt::join(parameter_names_, ", "));
}

void MorphBuilder::add(const std::string& place, MorphPoint point) {
  const bool relative = morph_.unit == MorphFile::Unit::relative;
  const double last = relative ? 1 : kMaxSeconds;
  if (!(point.time >= 0 && point.time <= last)) {
    fail_usage("{}: time {}, expected 0 … {}", place, point.time,
               relative ? "1 (the end)" : "86400 (seconds)");
  }
  if (!morph_.points.empty() && point.time < morph_.points.back().time) {
    fail_usage("{}: time {} after {}; times must not decrease", place, point.time,
               morph_.points.back().time);
  }
  for (const auto& [component, value] : point.values) {
    if (std::abs(value) <= kMaxConditioning) continue;
    const bool is_class = component < class_names_.size();
    fail_usage(
        "{}: {} is {}, expected {} … {}", place,
        is_class ? class_names_[component] : parameter_names_[component - class_names_.size()],
        value, -kMaxConditioning, kMaxConditioning);
  }
  morph_.points.push_back(std::move(point));
}

MorphFile MorphBuilder::finish(const std::string& where) {
  if (morph_.points.empty()) fail_usage("{}: no breakpoint; expected at least one", where);
  return std::move(morph_);
}

Interpolation parse_interpolation(const std::string& place, std::string_view word) {
  if (word == "linear") return Interpolation::linear;
  if (word == "hold") return Interpolation::hold;
  fail_usage("{}: interpolation {} is not known; known: linear, hold", place, quote(word));
}

// ---- MorphFile ----

bool MorphFile::begins_with_classes(size_t num_classes) const {
  const auto& values = points.front().values;
  return !values.empty() && values.begin()->first < num_classes;
}

bool is_morph_file(std::string_view name) {
  const std::string extension = lower_extension(name);
  return extension == ".yaml" || extension == ".yml" || extension == ".csv";
}

MorphFile read_morph_file(const std::filesystem::path& path,
                          const std::vector<std::string>& class_names,
                          const std::vector<std::string>& parameter_names) {
  const std::vector<std::byte> bytes = read_file(path, kMaxBytes);
  return parse_morph_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path,
                          class_names, parameter_names);
}

MorphFile parse_morph_file(std::string text, const std::filesystem::path& path,
                           const std::vector<std::string>& class_names,
                           const std::vector<std::string>& parameter_names) {
  MorphBuilder builder(class_names, parameter_names);
  if (lower_extension(path) == ".csv") {
    parse_morph_csv(text, path.string(), builder);
  } else {
    parse_morph_yaml(text, path.string(), builder);
  }
  MorphFile morph = builder.finish(path.string());
  morph.text = std::move(text);
  return morph;
}

Conditioning follow_morph(const MorphFile& morph, int64_t frames, double frames_per_second,
                          std::vector<float> beginning, size_t num_classes) {
  std::vector<Breakpoint> breakpoints;
  std::vector<float> vector = std::move(beginning);
  if (morph.begins_with_classes(num_classes)) {
    std::fill_n(vector.begin(), num_classes, 0.0F);
  }
  for (const MorphPoint& point : morph.points) {
    for (const auto& [component, value] : point.values) {
      vector[component] = static_cast<float>(value);
    }
    breakpoints.push_back({point.time, vector, point.interpolation});
  }
  if (morph.unit == MorphFile::Unit::relative) return interpolate(breakpoints, frames);
  return interpolate(breakpoints, frames, frames_per_second);
}

}  // namespace dsf
