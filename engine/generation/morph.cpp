#include "engine/generation/morph.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr float kMiddle = 0.5F;
constexpr double kFarthestFrame = 1e15;  // beyond it a double cannot count frames one by one

/// What a morph is made from.
struct Request {
  int64_t frames;
  size_t classes;
  size_t class_index;
  std::vector<float> parameters;  // their values where the morph does not move them
  std::vector<bool> fixed;        // the caller gave the value: no morph moves it
};

/// A vector without a class.
std::vector<float> no_class(const Request& request) {
  std::vector<float> vector(request.classes, 0.0F);
  vector.insert(vector.end(), request.parameters.begin(), request.parameters.end());
  return vector;
}

std::vector<float> one_hot(const Request& request, size_t index) {
  std::vector<float> vector = no_class(request);
  if (index < request.classes) vector[index] = 1.0F;
  return vector;
}

/// A class, with every parameter that is not fixed at `value`.
std::vector<float> swept(const Request& request, size_t index, float value) {
  std::vector<float> vector = one_hot(request, index);
  for (size_t i = 0; i < request.parameters.size(); ++i) {
    if (!request.fixed[i]) vector[request.classes + i] = value;
  }
  return vector;
}

Conditioning constant(const Request& request) {
  const std::vector<float> vector = one_hot(request, request.class_index);
  return interpolate({{0, vector}, {1, vector}}, request.frames);
}

Conditioning sweep(const Request& request) {
  if (request.parameters.empty()) fail_usage("morph 'sweep': the model has no parameter to sweep");
  if (std::ranges::count(request.fixed, false) == 0) {
    fail_usage("morph 'sweep': none of the model's parameters is left to sweep, all have a value");
  }
  const auto at = [&](double time, float value) {
    return Breakpoint{time, swept(request, request.class_index, value)};
  };
  return interpolate({at(0, 0), at(.1, 0), at(.4, 1), at(.6, 1), at(.9, 0), at(1, 0)},
                     request.frames);
}

Conditioning classes_in_turn(const Request& request) {
  if (request.classes == 0) fail_usage("morph 'classes': the model has no classes");
  std::vector<Breakpoint> points;
  const auto count = static_cast<double>(request.classes);
  for (size_t i = 0; i < request.classes; ++i) {
    points.push_back({static_cast<double>(i) / count, one_hot(request, i)});
    points.push_back({static_cast<double>(i + 1) / count, one_hot(request, i)});
  }
  return interpolate(points, request.frames);
}

Conditioning tour(const Request& request) {
  if (request.classes == 0) fail_usage("morph 'tour': the model has no classes");
  std::vector<Breakpoint> points;
  const auto count = static_cast<double>(request.classes);
  for (size_t i = 0; i < request.classes; ++i) {
    for (const auto& [within, value] : {std::pair{0.0, 0.F}, {.1, 0.F}, {.8, 1.F}, {1.0, 1.F}}) {
      points.push_back({(static_cast<double>(i) + within) / count, swept(request, i, value)});
    }
  }
  return interpolate(points, request.frames);
}

Conditioning overlap(const Request& request) {
  if (request.classes < 2) {
    fail_usage("morph 'overlap': needs two classes, the model has {}", request.classes);
  }
  const size_t next = (request.class_index + 1) % request.classes;
  const std::vector<float> first = one_hot(request, request.class_index);
  const std::vector<float> second = one_hot(request, next);
  std::vector<float> both = first;
  both[next] = 1.0F;
  return interpolate({{0, first}, {.2, first}, {.4, both}, {.6, both}, {.8, second}, {1, second}},
                     request.frames);
}

Conditioning middle(const Request& request) {
  std::vector<float> vector = no_class(request);
  std::fill_n(vector.begin(), request.classes, kMiddle);
  return interpolate({{0, vector}, {1, vector}}, request.frames);
}

struct Morph {
  std::string_view name;
  Conditioning (*make)(const Request&);
  bool uses_class;
};
constexpr Morph kMorphs[] = {{"constant", constant, true},        {"sweep", sweep, true},
                             {"classes", classes_in_turn, false}, {"tour", tour, false},
                             {"overlap", overlap, true},          {"middle", middle, false}};

void set_parameters(Request& request, const std::vector<std::string>& names,
                    const std::map<std::string, float>& values) {
  request.parameters.assign(names.size(), kDefaultParameter);
  request.fixed.assign(names.size(), false);
  for (const auto& [name, value] : values) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      fail_usage("the model has no parameter '{}'; known: {}", name, fmt::join(names, ", "));
    }
    if (!(std::abs(static_cast<double>(value)) <= kMaxConditioning)) {
      fail_usage("parameter '{}' is {}, expected {} … {}", name, value, -kMaxConditioning,
                 kMaxConditioning);
    }
    const auto index = static_cast<size_t>(found - names.begin());
    request.parameters[index] = value;
    request.fixed[index] = true;
  }
}

}  // namespace

Conditioning interpolate(const std::vector<Breakpoint>& breakpoints, int64_t frames,
                         double frames_per_unit) {
  DSF_CHECK(frames >= 0 && !breakpoints.empty(), "{} frames, {} breakpoints", frames,
            breakpoints.size());
  const size_t size = breakpoints.front().vector.size();
  Conditioning result{frames, static_cast<int64_t>(size), {}};
  result.values.reserve(static_cast<size_t>(frames) * size);
  const auto position = [&](const Breakpoint& point) {
    const double frame = std::nearbyint(point.time * frames_per_unit);  // halves to even
    if (!(std::abs(frame) <= kFarthestFrame)) fail("interpolate: a breakpoint at {}", point.time);
    return static_cast<int64_t>(frame);
  };
  const auto hold = [&](const Breakpoint& point, int64_t begin, int64_t end) {
    for (int64_t frame = begin; frame < std::min(end, frames); ++frame) {
      result.values.insert(result.values.end(), point.vector.begin(), point.vector.end());
    }
  };
  hold(breakpoints.front(), 0, position(breakpoints.front()));
  for (size_t i = 0; i + 1 < breakpoints.size(); ++i) {
    const Breakpoint& from = breakpoints[i];
    const Breakpoint& to = breakpoints[i + 1];
    DSF_CHECK(from.time <= to.time && to.vector.size() == size,
              "breakpoint {} at time {} of size {}, after time {} and size {}", i + 1, to.time,
              to.vector.size(), from.time, size);
    const int64_t begin = position(from), end = position(to);
    if (from.interpolation == Interpolation::hold) {
      hold(from, std::max<int64_t>(0, begin), end);
      continue;
    }
    for (int64_t frame = std::max<int64_t>(0, begin); frame < std::min(end, frames); ++frame) {
      const double t = static_cast<double>(frame - begin) / static_cast<double>(end - begin);
      const auto weight = static_cast<float>(t);
      for (size_t k = 0; k < size; ++k) {
        result.values.push_back(from.vector[k] + weight * (to.vector[k] - from.vector[k]));
      }
    }
  }
  hold(breakpoints.back(), std::max<int64_t>(0, position(breakpoints.back())), frames);
  return result;
}

Conditioning interpolate(const std::vector<Breakpoint>& breakpoints, int64_t frames) {
  return interpolate(breakpoints, frames, static_cast<double>(frames));
}

std::vector<std::string_view> morph_names() {
  std::vector<std::string_view> names;
  for (const Morph& morph : kMorphs) names.push_back(morph.name);
  return names;
}

Conditioning make_morph(std::string_view name, int64_t frames,
                        const std::vector<std::string>& class_names,
                        const std::vector<std::string>& parameter_names, int64_t class_index,
                        const std::map<std::string, float>& parameters) {
  Request request{frames, class_names.size(), static_cast<size_t>(class_index), {}, {}};
  if (!class_names.empty() && request.class_index >= class_names.size()) {
    fail_usage("class {} of {}", class_index, class_names.size());
  }
  set_parameters(request, parameter_names, parameters);
  for (const Morph& morph : kMorphs) {
    if (morph.name == name) return morph.make(request);
  }
  fail_usage("the morph '{}' is not known; known: {}", name, fmt::join(morph_names(), ", "));
}

bool uses_class(std::string_view morph) {
  return std::ranges::any_of(
      kMorphs, [&](const Morph& known) { return known.name == morph && known.uses_class; });
}

int64_t find_class(const std::vector<std::string>& class_names, std::string_view name) {
  const auto found = std::find(class_names.begin(), class_names.end(), name);
  if (found == class_names.end()) {
    fail_usage("the model has no class '{}'; known: {}", name, fmt::join(class_names, ", "));
  }
  return found - class_names.begin();
}

}  // namespace dsf
