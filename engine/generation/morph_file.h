#pragma once
// Conditioning trajectories that a user writes: breakpoints by the names of classes and parameters.
//
// YAML (configs/morphs/ has examples):
//   unit: seconds            # of `time`; or relative: 0 is the beginning, 1 the end
//   interpolation: linear    # from each breakpoint to the next (the default), or hold
//   breakpoints:
//     - {time: 0, class: wind, parameters: {strength: 0.2}}
//     - {time: 4, classes: {wind: 0.7, rain: 0.3}, interpolation: hold}
//     - {time: 9, class: rain, parameters: {strength: 1}}
// `class: NAME` is that class alone: 1, and all others 0.
//
// CSV: the first column is headed `time` (seconds) or `relative_time` (0 … 1), the others by the
// names of classes and parameters, and, if wanted, `interpolation`; a breakpoint per line. An empty
// cell leaves its component out.
//
// What a breakpoint leaves out keeps the value of the one before. The first begins from the chosen
// class (from no class, if it names any itself) and the chosen parameters. The first holds before
// its time, the last after its own.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/generation/morph.h"

namespace dsf {

struct MorphPoint {
  double time = 0;
  Interpolation interpolation = Interpolation::linear;
  std::map<size_t, double> values;  // of the components it names; a float holds them
};

struct MorphFile {
  enum class Unit { relative, seconds };
  Unit unit = Unit::relative;
  std::vector<MorphPoint> points;  // at least one, times never decreasing
  std::string text;                // the file as it was read

  /// Whether the first breakpoint names any of a model's classes, its first components.
  bool begins_with_classes(size_t num_classes) const;
};

/// Whether a morph's name means a file: it ends in .yaml, .yml or .csv.
bool is_morph_file(std::string_view name);

/// Reads a morph file for a model of these names. What is wrong in it is a UsageError that says
/// where (file, line), what was found and what is known.
MorphFile read_morph_file(const std::filesystem::path& path,
                          const std::vector<std::string>& class_names,
                          const std::vector<std::string>& parameter_names);

/// The same of a file's content.
MorphFile parse_morph_file(std::string text, const std::filesystem::path& path,
                           const std::vector<std::string>& class_names,
                           const std::vector<std::string>& parameter_names);

/// The trajectory of `frames` frames, `frames_per_second` of them a second. `beginning` [classes +
/// parameters] is what the first breakpoint changes.
Conditioning follow_morph(const MorphFile& morph, int64_t frames, double frames_per_second,
                          std::vector<float> beginning, size_t num_classes);

}  // namespace dsf
