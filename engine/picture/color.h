#pragma once
// Colours for plots: a few that are told apart easily, and a scale that the eye reads as a
// quantity: its lightness rises evenly from almost black to almost white.
#include <cstddef>

namespace dsf {

struct Color {
  double red = 0, green = 0, blue = 0;  // sRGB, 0 … 1
};

/// A colour of the scale; `value` in [0, 1] (others are clamped, NaN counts as 0). Made in the
/// Oklab space: B. Ottosson, "A perceptual color space for image processing" (2020).
Color scale_color(double value);

/// The colour of the index-th line; they repeat after eight.
Color line_color(size_t index);

}  // namespace dsf
