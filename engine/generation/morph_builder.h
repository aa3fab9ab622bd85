#pragma once
// What the readers of morph files share: names become components, breakpoints are checked.
#include <string>
#include <string_view>
#include <vector>

#include "engine/generation/morph_file.h"

namespace dsf {

/// Gathers the breakpoints of a file. `place` (file and line) begins every message; everything
/// wrong is a UsageError.
class MorphBuilder {
 public:
  MorphBuilder(const std::vector<std::string>& class_names,
               const std::vector<std::string>& parameter_names)
      : class_names_(class_names), parameter_names_(parameter_names) {}

  size_t num_classes() const { return class_names_.size(); }
  // The component of a class, of a parameter, or of whichever of the two has this name.
  size_t class_component(const std::string& place, std::string_view name) const;
  size_t parameter_component(const std::string& place, std::string_view name) const;
  size_t component(const std::string& place, std::string_view name) const;

  void set_unit(MorphFile::Unit unit) { morph_.unit = unit; }
  /// Adds a breakpoint. Its time must lie in its unit's range and not before the last one's, its
  /// values be floats.
  void add(const std::string& place, MorphPoint point);
  /// What was gathered from the file `where`; no breakpoint is an error.
  MorphFile finish(const std::string& where);

 private:
  const std::vector<std::string>& class_names_;
  const std::vector<std::string>& parameter_names_;
  MorphFile morph_;
};

/// "linear" or "hold".
Interpolation parse_interpolation(const std::string& place, std::string_view word);

// The two formats, given the content of the file `where`.
void parse_morph_yaml(std::string_view text, const std::string& where, MorphBuilder& builder);
void parse_morph_csv(std::string_view text, const std::string& where, MorphBuilder& builder);

}  // namespace dsf
