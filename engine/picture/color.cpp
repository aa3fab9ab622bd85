#include "engine/picture/color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace dsf {
namespace {

double gamma_encode(double linear) {
  return linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
}

/// Oklab in polar form to linear sRGB.
Color linear_from_oklch(double lightness, double chroma, double hue) {
  const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

bool displayable(const Color& color) {
  const auto inside = [](double value) { return value >= 0 && value <= 1; };
  return inside(color.red) && inside(color.green) && inside(color.blue);
}

/// The displayable colour of this lightness and hue whose chroma comes nearest to the one asked.
Color linear_in_gamut(double lightness, double chroma, double hue) {
  double low = 0, high = chroma;
  if (displayable(linear_from_oklch(lightness, high, hue))) low = high;
  for (int i = 0; i < 20 && low < high; ++i) {
    const double middle = (low + high) / 2;
    (displayable(linear_from_oklch(lightness, middle, hue)) ? low : high) = middle;
  }
  return linear_from_oklch(lightness, low, hue);
}

Color make_scale_color(double t) {
  const double lightness = 0.10 + 0.88 * t;
  const double chroma = 0.03 + 0.16 * std::sin(std::numbers::pi * std::pow(t, 0.8));
  const double hue = (275 + 190 * t) * std::numbers::pi / 180;  // violet, red, yellow
  const Color linear = linear_in_gamut(lightness, chroma, hue);
  return {gamma_encode(linear.red), gamma_encode(linear.green), gamma_encode(linear.blue)};
}

constexpr size_t kScaleSteps = 256;

std::array<Color, kScaleSteps> make_scale() {
  std::array<Color, kScaleSteps> scale;
  for (size_t i = 0; i < kScaleSteps; ++i) {
    scale[i] = make_scale_color(static_cast<double>(i) / (kScaleSteps - 1));
  }
  return scale;
}

}  // namespace

Color scale_color(double value) {
  static const std::array<Color, kScaleSteps> kScale = make_scale();
  const double clamped = value > 0 ? std::min(value, 1.0) : 0.0;
  return kScale[static_cast<size_t>(std::lround(clamped * (kScaleSteps - 1)))];
}

Color line_color(size_t index) {
  static constexpr std::array<uint32_t, 8> kColors = {0x296BB8, 0xD66129, 0x2E8F5C, 0x8F57AD,
                                                      0xC29414, 0x1F99A3, 0xBD3D66, 0x6B707A};
  const uint32_t color = kColors[index % kColors.size()];
  const auto part = [&](int shift) { return (color >> shift & 0xFF) / 255.0; };
  return {part(16), part(8), part(0)};
}

}  // namespace dsf
