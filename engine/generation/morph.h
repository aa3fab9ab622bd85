#pragma once
// Conditioning over time: what a generation is told at each frame. A vector is a one-hot class,
// then the continuous parameters; between classes, and outside of what was trained on, any values
// are allowed.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

/// The largest magnitude of a conditioning value. Training sees values about 1; so far beyond, a
/// model's numbers overflow.
inline constexpr double kMaxConditioning = 1e6;

/// A parameter's value where nothing gives one.
inline constexpr float kDefaultParameter = 0.5F;

/// One conditioning vector per generated frame.
struct Conditioning {
  int64_t frames = 0;
  int64_t size = 0;           // classes + parameters
  std::vector<float> values;  // [frames, size]

  const float* frame(int64_t index) const { return values.data() + index * size; }
};

enum class Interpolation { linear, hold };

struct Breakpoint {
  double time = 0;  // in units that `interpolate` is told
  std::vector<float> vector;
  Interpolation interpolation = Interpolation::linear;  // from here to the next breakpoint
};

/// Conditioning through the breakpoints. Each stands at frame round(time·frames_per_unit), halves
/// to even as upstream rounds; two at the same frame are a jump to the later one. The first holds
/// before its time and the last after its own; what lies beyond the last frame is cut. There must
/// be a breakpoint, times be finite and never decrease, and vectors be of equal size, else Error.
Conditioning interpolate(const std::vector<Breakpoint>& breakpoints, int64_t frames,
                         double frames_per_unit);

/// The same with time 0 the beginning and 1 the end (one frame after the last).
Conditioning interpolate(const std::vector<Breakpoint>& breakpoints, int64_t frames);

/// The ready-made trajectories:
///   constant  the chosen class
///   sweep     the chosen class, parameters 0 0 1 1 0 0 at times 0, .1, .4, .6, .9, 1
///   classes   every class in turn for equal time
///   tour      every class in turn, in each parameters 0 0 1 1 at 0, .1, .8, 1 of its time
///   overlap   the chosen class, joined by the next one (.2 to .4), which then remains (.6 to .8)
///   middle    all classes at 0.5
std::vector<std::string_view> morph_names();

/// Makes one of them. Parameters stay at their value in `parameters` if they have one, else at
/// 0.5 where the morph does not move them. A name of a morph or parameter that is not known, a
/// class index out of range, a value beyond kMaxConditioning, and a sweep that moves nothing are
/// UsageErrors.
Conditioning make_morph(std::string_view name, int64_t frames,
                        const std::vector<std::string>& class_names,
                        const std::vector<std::string>& parameter_names, int64_t class_index,
                        const std::map<std::string, float>& parameters);

/// Whether a ready-made morph depends on the chosen class.
bool uses_class(std::string_view morph);

/// The index of `name`; a UsageError that lists the known names if it is none of them.
int64_t find_class(const std::vector<std::string>& class_names, std::string_view name);

}  // namespace dsf
