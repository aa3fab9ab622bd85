#pragma once
// A picture and what is drawn on it: text, axes, lines, bands and images.
#include <cairo.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/picture/axis.h"
#include "engine/picture/color.h"

namespace dsf {

/// In pixels, x and y from the picture's upper left corner.
struct Rectangle {
  double x = 0, y = 0, width = 0, height = 0;
};

/// A part of the picture that shows values along two axes.
struct Panel {
  Rectangle area;
  Axis x, y;
};

struct LineStyle {
  Color color;
  bool dashed = false;
};

class Picture {
 public:
  enum class Align { left, centre, right };
  struct Font {
    double size = 13;
    bool bold = false;
    Color color = {0.22, 0.23, 0.26};
  };

  Picture(int width, int height);

  /// Text wider than `max_width` ends in an ellipsis; bytes that are not UTF-8 show as '?'.
  void text(double x, double baseline, std::string_view text, Align align, const Font& font,
            double max_width = 1e4);
  /// Centred on (x, y), read from below.
  void upward_text(double x, double y, std::string_view text, const Font& font);
  /// Lines across the panel at the ticks.
  void grid(const Panel& panel);
  /// The panel's border, and its ticks and titles to the left and, if `x_labels`, below.
  void frame(const Panel& panel, bool x_labels);
  /// Connects points (x, y) given in the axes' units, cut off at the panel's border.
  void line(const Panel& panel, const std::vector<std::pair<double, double>>& points,
            const LineStyle& style);
  /// A disc around the point (x, y), `radius` in pixels; it may cross the panel's border.
  void dot(const Panel& panel, double x, double y, double radius, Color color);
  /// Fills between a low and a high y value per pixel column of the panel.
  void band(const Panel& panel, const std::vector<std::pair<double, double>>& columns, Color color);
  /// Gives every pixel of the area its colour(column, row), row 0 on top.
  void image(const Rectangle& area, const std::function<Color(int64_t, int64_t)>& color);
  /// A short line for a legend.
  void line_sample(double x, double y, double length, const LineStyle& style);

  /// The picture as the bytes of a PNG file.
  std::string png() const;

 private:
  void stroke(Color color, double width);
  void set_font(const Font& font);
  double width_of(const std::string& text);

  template <auto destroy>
  struct Destroy {
    void operator()(auto* object) const { destroy(object); }
  };
  std::unique_ptr<cairo_surface_t, Destroy<cairo_surface_destroy>> surface_;
  std::unique_ptr<cairo_t, Destroy<cairo_destroy>> cairo_;
};

}  // namespace dsf
