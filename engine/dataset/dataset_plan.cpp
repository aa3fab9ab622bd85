#include "engine/dataset/dataset_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/files/table.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

uint64_t hash_name(const std::string& name) {  // FNV-1a
  uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

/// The recordings of each class that have pieces.
using ByClass = std::map<std::string, std::vector<size_t>>;

ByClass group(const Recordings& recordings, const std::vector<SurveyedRecording>& surveyed) {
  ByClass groups;
  for (size_t i = 0; i < surveyed.size(); ++i) {
    if (surveyed[i].pieces > 0) groups[recordings.list[i].class_name].push_back(i);
  }
  return groups;
}

/// Of a class with at least two recordings those that validate.
std::vector<size_t> draw_validation(std::vector<size_t> group, const Recordings& recordings,
                                    const std::vector<SurveyedRecording>& surveyed,
                                    const DatasetRequest& request) {
  const RandomStream stream{request.seed, purpose_split, 0};
  const auto order = [&](size_t i) {
    const auto words = random_words(stream, hash_name(recordings.list[i].name));
    return std::pair((uint64_t{words[0]} << 32) | words[1], i);
  };
  std::ranges::sort(group, {}, order);
  int64_t pieces = 0;
  for (const size_t i : group) pieces += surveyed[i].pieces;
  const double wanted = request.validation * static_cast<double>(pieces);
  std::vector<size_t> drawn;
  double taken = 0;
  for (const size_t i : group) {
    const auto size = static_cast<double>(surveyed[i].pieces);
    if (taken + size / 2 > wanted) continue;  // it would go further beyond than it is short now
    drawn.push_back(i);
    taken += size;
  }
  if (drawn.empty()) {
    drawn.push_back(
        *std::ranges::min_element(group, {}, [&](size_t i) { return surveyed[i].pieces; }));
  }
  return drawn;
}

class Planner {
 public:
  Planner(const Recordings& recordings, const std::vector<SurveyedRecording>& surveyed,
          const DatasetRequest& request)
      : recordings_(recordings),
        surveyed_(surveyed),
        request_(request),
        groups_(group(recordings, surveyed)) {}

  DatasetPlan plan() {
    for (const auto& [name, members] : groups_) plan_.classes.push_back(name);
    warn_of_lost_classes();
    std::set<size_t> validation;
    if (request_.validation > 0) validation = split();
    list_pieces(validation);
    scale_parameters();
    choose_compared();
    return std::move(plan_);
  }

 private:
  void warn_of_lost_classes() {
    std::set<std::string> all;
    for (const Recording& recording : recordings_.list) all.insert(recording.class_name);
    for (const std::string& name : all) {
      if (groups_.contains(name)) continue;
      plan_.warnings.push_back(
          fmt::format("the class {} has no pieces and is left out", quote(name)));
    }
  }

  std::set<size_t> split() {
    std::set<size_t> validation;
    std::vector<std::string> alone;
    for (const auto& [name, members] : groups_) {
      if (members.size() < 2) {
        alone.push_back(quote(name));
        continue;
      }
      for (const size_t i : draw_validation(members, recordings_, surveyed_, request_)) {
        validation.insert(i);
      }
    }
    if (!alone.empty()) {
      plan_.warnings.push_back(fmt::format(
          "no validation data of {} {}: only one recording, whose pieces all train (pieces of one "
          "recording never fall on both sides)",
          alone.size() > 1 ? "the classes" : "the class", fmt::join(alone, ", ")));
    }
    return validation;
  }

  void list_pieces(const std::set<size_t>& validation) {
    std::map<std::string, size_t> known;  // recording by its pieces' name
    for (size_t i = 0; i < surveyed_.size(); ++i) {
      if (surveyed_[i].pieces == 0) continue;
      std::string name{trimmed(fs::path(recordings_.list[i].name).replace_extension("").string())};
      std::ranges::replace(name, '/', '_');
      const auto [other, is_new] = known.emplace(name, i);
      if (!is_new) {
        fail_usage("the pieces of {} and of {} would both be called {}-0000.dac: rename one",
                   recordings_.list[other->second].path.string(), recordings_.list[i].path.string(),
                   name);
      }
      for (int64_t index = 0; index < surveyed_[i].pieces; ++index) {
        plan_.pieces.push_back({i,
                                index,
                                fmt::format("{}-{:04}.dac", name, index),
                                validation.contains(i),
                                false,
                                {}});
      }
    }
    if (plan_.pieces.empty()) {
      fail("{}: no recording of {} s or longer in this folder", request_.folder.string(),
           request_.seconds);
    }
  }

  /// One parameter of all pieces. Those of which `counts` is false get what is nearest to theirs
  /// of the others' values.
  template <class Value, class Counts>
  void add_parameter(ScaledParameter parameter, bool measured, const Value& value,
                     const Counts& counts) {
    std::vector<double> all, counted;
    for (const Piece& piece : plan_.pieces) {
      all.push_back(value(piece));
      if (counts(all.back())) counted.push_back(all.back());
    }
    const auto [low, high] = std::ranges::minmax(counted.empty() ? all : counted);
    if (!std::isfinite(high - low)) {
      fail("the parameter {} goes from {} to {}: too far to be scaled", quote(parameter.name), low,
           high);
    }
    if (low == high) {
      plan_.warnings.push_back(
          fmt::format("the parameter {} is {} in all pieces: a model learns nothing from it",
                      quote(parameter.name), low));
    }
    if (measured || low < 0 || high > 1) {
      parameter.low = low;
      parameter.high = low == high ? low + 1 : high;
    }
    // One value may be so large that nothing can be added to it.
    const double width = parameter.high > parameter.low ? parameter.high - parameter.low : 1;
    for (size_t i = 0; i < all.size(); ++i) {
      plan_.pieces[i].parameters.push_back(
          static_cast<float>((std::clamp(all[i], low, high) - parameter.low) / width));
    }
    plan_.parameters.push_back(std::move(parameter));
  }

  /// Measures of silence are left out of a scale.
  void warn_of_silence(Measure measure, size_t place, const ScaledParameter& parameter) {
    constexpr size_t kShown = 5;
    std::vector<std::string> silent;
    for (const Piece& piece : plan_.pieces) {
      if (is_of_sound(measure, measured(piece, place))) continue;
      silent.push_back(quote(piece.file_name));
    }
    if (silent.empty()) return;
    const size_t count = silent.size();
    silent.resize(std::min(count, kShown));
    plan_.warnings.push_back(
        fmt::format("{} without {}, given that of the scale's lower end, {:.6g} {}: {}{}",
                    counted(count, "silent piece"), parameter.name, parameter.low, parameter.unit,
                    fmt::join(silent, ", "), count > kShown ? " …" : ""));
  }

  double measured(const Piece& piece, size_t place) const {
    return surveyed_[piece.recording].measures[static_cast<size_t>(piece.index)][place];
  }

  void scale_parameters() {
    for (size_t p = 0; p < recordings_.parameter_names.size(); ++p) {
      add_parameter(
          {recordings_.parameter_names[p], recordings_.parameter_sources[p], ""}, false,
          [&](const Piece& piece) { return recordings_.list[piece.recording].parameters[p]; },
          [](double) { return true; });
    }
    for (size_t m = 0; m < request_.measures.size(); ++m) {
      const Measure measure = request_.measures[m];
      add_parameter(
          {std::string(name_of(measure)), "measured", std::string(unit_of(measure))}, true,
          [&](const Piece& piece) { return measured(piece, m); },
          [&](double value) { return is_of_sound(measure, value); });
      warn_of_silence(measure, m, plan_.parameters.back());
    }
  }

  void choose_compared() {
    std::map<std::string, std::vector<Piece*>> by_class;
    for (Piece& piece : plan_.pieces) {
      by_class[recordings_.list[piece.recording].class_name].push_back(&piece);
    }
    for (auto& [name, pieces] : by_class) {
      const int64_t count = std::min(kComparedPieces, std::ssize(pieces));
      for (int64_t i = 0; i < count; ++i) {
        const int64_t middle = (2 * i + 1) * std::ssize(pieces) / (2 * count);
        pieces[static_cast<size_t>(middle)]->compared = true;
      }
    }
  }

  const Recordings& recordings_;
  const std::vector<SurveyedRecording>& surveyed_;
  const DatasetRequest& request_;
  const ByClass groups_;
  DatasetPlan plan_;
};

}  // namespace

bool DatasetPlan::validates() const {
  return std::ranges::any_of(pieces, &Piece::validation);
}

DatasetPlan plan_dataset(const Recordings& recordings,
                         const std::vector<SurveyedRecording>& surveyed,
                         const DatasetRequest& request) {
  return Planner(recordings, surveyed, request).plan();
}

}  // namespace dsf
