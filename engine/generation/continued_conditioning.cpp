#include "engine/generation/continued_conditioning.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/files/quote.h"

namespace dsf {
namespace {

bool is_default(const GenerationRequest& request) {
  return request.class_name.empty() && request.parameters.empty() && request.morph == "constant";
}

bool knows(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// Why the model cannot go on under it; empty where it can.
std::string obstacle(const StatedConditioning& stated, const CheckpointInfo& model) {
  if (stated.morph != "constant") return fmt::format("was made with --morph {}", stated.morph);
  if (!stated.class_name.empty() && !knows(model.class_names, stated.class_name)) {
    return fmt::format("has the class {}, which is not the model's", quote(stated.class_name));
  }
  for (const auto& [name, value] : stated.parameters) {
    if (!knows(model.parameter_names, name)) {
      return fmt::format("has the parameter {}, which is not the model's", quote(name));
    }
  }
  return "";
}

/// "class rain, rate=0.5"
std::string describe(const GenerationRequest& request, const CheckpointInfo& model) {
  std::vector<std::string> words;
  if (!model.class_names.empty()) {
    words.push_back("class " +
                    (request.class_name.empty() ? model.class_names.front() : request.class_name));
  }
  for (const std::string& name : model.parameter_names) {
    const auto given = request.parameters.find(name);
    words.push_back(fmt::format(
        "{}={}", name, given == request.parameters.end() ? kDefaultParameter : given->second));
  }
  return words.empty() ? "no conditioning" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

ContinuedConditioning continue_conditioning(const CheckpointInfo& model, const PrimeSources& prime,
                                            GenerationRequest& request) {
  if (!is_default(request) || prime.kind != PrimeSources::Kind::files) return {};
  const auto stated =
      std::ranges::find_if(prime.conditionings, [](const auto& one) { return one.has_value(); });
  if (stated == prime.conditionings.end()) return {};
  const std::string sidecar = (*stated)->sidecar.string();
  std::string why = obstacle(**stated, model);
  for (const auto& other : prime.conditionings) {
    if (!why.empty() || (other && (*stated)->is_same(*other))) continue;
    why = "states another conditioning than the other channel's";
  }
  if (!why.empty()) {
    return {false, fmt::format("{} {}; going on under {}", sidecar, why, describe(request, model))};
  }
  request.class_name = (*stated)->class_name;
  request.parameters = (*stated)->parameters;
  return {true, fmt::format("going on under {}, as {} states", describe(request, model), sidecar)};
}

}  // namespace dsf
