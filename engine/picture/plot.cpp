#include "engine/picture/plot.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr Color kBorder = {0.45, 0.46, 0.50};
constexpr Color kGrid = {0.88, 0.89, 0.91};
constexpr double kTickLength = 5;

double x_pixel(const Panel& panel, double value) {
  return panel.area.x + panel.x.position(value) * panel.area.width;
}

double y_pixel(const Panel& panel, double value) {
  return panel.area.y + (1 - panel.y.position(value)) * panel.area.height;
}

/// The middle of the pixel that `value` lies in: a line of width 1 there is sharp.
double sharp(double value) {
  return std::floor(value) + 0.5;
}

uint32_t pack(const Color& color) {
  const auto byte = [](double value) {
    return static_cast<uint32_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
  };
  return byte(color.red) << 16 | byte(color.green) << 8 | byte(color.blue);
}

/// The length of the UTF-8 character that `text` begins with, 0 if it begins with none.
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned second = byte(1);
  const bool outside = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
                       (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90);
  return outside ? 0 : size;
}

/// Text that cairo can draw (an invalid one would disable the whole picture), character by
/// character and not longer than any label can be.
std::vector<std::string> drawable_characters(std::string_view text) {
  constexpr size_t kLongest = 400;
  std::vector<std::string> characters;
  while (!text.empty() && characters.size() < kLongest) {
    const size_t size = character_size(text);
    const bool printable = size > 0 && static_cast<unsigned char>(text[0]) >= 0x20;
    characters.emplace_back(printable ? text.substr(0, size) : "?");
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return characters;
}

void check(cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS) {
    fail("the picture cannot be drawn: {}", cairo_status_to_string(status));
  }
}

}  // namespace

Picture::Picture(int width, int height)
    : surface_(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height)),
      cairo_(cairo_create(surface_.get())) {
  check(cairo_status(cairo_.get()));
  cairo_set_source_rgb(cairo_.get(), 1, 1, 1);
  cairo_paint(cairo_.get());
  cairo_set_line_join(cairo_.get(), CAIRO_LINE_JOIN_ROUND);
}

void Picture::set_font(const Font& font) {
  cairo_select_font_face(cairo_.get(), "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cairo_.get(), font.size);
  cairo_set_source_rgb(cairo_.get(), font.color.red, font.color.green, font.color.blue);
}

double Picture::width_of(const std::string& text) {
  cairo_text_extents_t extents;
  cairo_text_extents(cairo_.get(), text.c_str(), &extents);
  return extents.x_advance;
}

void Picture::text(double x, double baseline, std::string_view text, Align align, const Font& font,
                   double max_width) {
  set_font(font);
  std::vector<std::string> characters = drawable_characters(text);
  std::string drawn = fmt::format("{}", fmt::join(characters, ""));
  while (width_of(drawn) > max_width && !characters.empty()) {
    characters.pop_back();
    drawn = fmt::format("{}…", fmt::join(characters, ""));
  }
  const double share = align == Align::left ? 0.0 : align == Align::centre ? 0.5 : 1.0;
  cairo_move_to(cairo_.get(), std::round(x - share * width_of(drawn)), std::round(baseline));
  cairo_show_text(cairo_.get(), drawn.c_str());
}

void Picture::upward_text(double x, double y, std::string_view text, const Font& font) {
  cairo_save(cairo_.get());
  cairo_translate(cairo_.get(), x, y);
  cairo_rotate(cairo_.get(), -std::acos(0.0));
  this->text(0, font.size * 0.35, text, Align::centre, font);
  cairo_restore(cairo_.get());
}

void Picture::stroke(Color color, double width) {
  cairo_set_source_rgb(cairo_.get(), color.red, color.green, color.blue);
  cairo_set_line_width(cairo_.get(), width);
  cairo_stroke(cairo_.get());
}

void Picture::grid(const Panel& panel) {
  const Rectangle& area = panel.area;
  for (const Axis::Tick& tick : panel.x.ticks) {
    const double x = sharp(x_pixel(panel, tick.value));
    cairo_move_to(cairo_.get(), x, area.y);
    cairo_line_to(cairo_.get(), x, area.y + area.height);
  }
  for (const Axis::Tick& tick : panel.y.ticks) {
    const double y = sharp(y_pixel(panel, tick.value));
    cairo_move_to(cairo_.get(), area.x, y);
    cairo_line_to(cairo_.get(), area.x + area.width, y);
  }
  stroke(kGrid, 1);
}

void Picture::frame(const Panel& panel, bool x_labels) {
  const Rectangle& area = panel.area;
  const double bottom = area.y + area.height;
  cairo_rectangle(cairo_.get(), area.x - 0.5, area.y - 0.5, area.width + 1, area.height + 1);
  for (const Axis::Tick& tick : panel.x.ticks) {
    const double x = sharp(x_pixel(panel, tick.value));
    cairo_move_to(cairo_.get(), x, bottom);
    cairo_line_to(cairo_.get(), x, bottom + kTickLength);
  }
  for (const Axis::Tick& tick : panel.y.ticks) {
    const double y = sharp(y_pixel(panel, tick.value));
    cairo_move_to(cairo_.get(), area.x - kTickLength, y);
    cairo_line_to(cairo_.get(), area.x, y);
  }
  stroke(kBorder, 1);
  const Font font;
  for (const Axis::Tick& tick : panel.y.ticks) {
    text(area.x - kTickLength - 4, y_pixel(panel, tick.value) + 0.35 * font.size, tick.label,
         Align::right, font);
  }
  upward_text(area.x - 62, area.y + area.height / 2, panel.y.title, font);
  if (!x_labels) return;
  for (const Axis::Tick& tick : panel.x.ticks) {
    text(x_pixel(panel, tick.value), bottom + kTickLength + 15, tick.label, Align::centre, font);
  }
  text(area.x + area.width / 2, bottom + kTickLength + 37, panel.x.title, Align::centre, font);
}

void Picture::line(const Panel& panel, const std::vector<std::pair<double, double>>& points,
                   const LineStyle& style) {
  const Rectangle& area = panel.area;
  cairo_save(cairo_.get());
  cairo_rectangle(cairo_.get(), area.x, area.y, area.width, area.height);
  cairo_clip(cairo_.get());
  for (const auto& [x, y] : points) {
    cairo_line_to(cairo_.get(), x_pixel(panel, x), y_pixel(panel, y));
  }
  if (style.dashed) {
    const std::array<double, 2> dashes = {7, 4};
    cairo_set_dash(cairo_.get(), dashes.data(), 2, 0);
  }
  stroke(style.color, 2);
  cairo_restore(cairo_.get());
}

void Picture::dot(const Panel& panel, double x, double y, double radius, Color color) {
  cairo_new_sub_path(cairo_.get());
  cairo_arc(cairo_.get(), x_pixel(panel, x), y_pixel(panel, y), radius, 0, 4 * std::acos(0.0));
  cairo_set_source_rgb(cairo_.get(), color.red, color.green, color.blue);
  cairo_fill(cairo_.get());
}

void Picture::band(const Panel& panel, const std::vector<std::pair<double, double>>& columns,
                   Color color) {
  for (size_t i = 0; i < columns.size(); ++i) {
    const double top = y_pixel(panel, columns[i].second);
    const double height = y_pixel(panel, columns[i].first) - top;
    // At least a pixel high, so that silence is a line.
    cairo_rectangle(cairo_.get(), panel.area.x + static_cast<double>(i),
                    top - std::max(0.0, (1 - height) / 2), 1, std::max(height, 1.0));
  }
  cairo_set_source_rgb(cairo_.get(), color.red, color.green, color.blue);
  cairo_fill(cairo_.get());
}

void Picture::image(const Rectangle& area, const std::function<Color(int64_t, int64_t)>& color) {
  cairo_surface_flush(surface_.get());
  unsigned char* data = cairo_image_surface_get_data(surface_.get());
  const int stride = cairo_image_surface_get_stride(surface_.get());
  const auto left = static_cast<int64_t>(area.x), top = static_cast<int64_t>(area.y);
  for (int64_t row = 0; row < static_cast<int64_t>(area.height); ++row) {
    auto* pixels = reinterpret_cast<uint32_t*>(data + (top + row) * stride) + left;
    for (int64_t column = 0; column < static_cast<int64_t>(area.width); ++column) {
      pixels[column] = pack(color(column, row));
    }
  }
  cairo_surface_mark_dirty(surface_.get());
}

void Picture::line_sample(double x, double y, double length, const LineStyle& style) {
  const Panel strip{{x, y - 2, length, 4}, {}, {}};
  line(strip, {{0, 0.5}, {1, 0.5}}, style);
}

std::string Picture::png() const {
  std::string bytes;
  const auto append = [](void* target, const unsigned char* data, unsigned int size) {
    static_cast<std::string*>(target)->append(reinterpret_cast<const char*>(data), size);
    return CAIRO_STATUS_SUCCESS;
  };
  check(cairo_status(cairo_.get()));
  check(cairo_surface_write_to_png_stream(surface_.get(), append, &bytes));
  return bytes;
}

}  // namespace dsf
