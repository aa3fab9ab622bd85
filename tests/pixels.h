#pragma once
// What a picture shows, pixel by pixel.
#include <cairo.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "engine/picture/color.h"

namespace dsf {

/// A PNG file's pixels.
class Pixels {
 public:
  explicit Pixels(const std::string& png) {
    Source source{png, 0};
    surface_ = cairo_image_surface_create_from_png_stream(
        [](void* closure, unsigned char* data, unsigned int size) {
          auto& from = *static_cast<Source*>(closure);
          if (from.at + size > from.bytes.size()) return CAIRO_STATUS_READ_ERROR;
          std::memcpy(data, from.bytes.data() + from.at, size);
          from.at += size;
          return CAIRO_STATUS_SUCCESS;
        },
        &source);
    EXPECT_EQ(cairo_surface_status(surface_), CAIRO_STATUS_SUCCESS);
  }
  ~Pixels() { cairo_surface_destroy(surface_); }
  Pixels(const Pixels&) = delete;
  Pixels& operator=(const Pixels&) = delete;

  int width() const { return cairo_image_surface_get_width(surface_); }
  int height() const { return cairo_image_surface_get_height(surface_); }
  /// How many pixels of rows [top, bottom) have exactly this colour.
  int count(const Color& color, double top, double bottom) const {
    const auto byte = [](double value) { return static_cast<uint32_t>(std::lround(255 * value)); };
    const uint32_t wanted = byte(color.red) << 16 | byte(color.green) << 8 | byte(color.blue);
    int found = 0;
    for (int y = static_cast<int>(top * height()); y < static_cast<int>(bottom * height()); ++y) {
      const unsigned char* row =
          cairo_image_surface_get_data(surface_) +
          static_cast<ptrdiff_t>(y) * cairo_image_surface_get_stride(surface_);
      for (int x = 0; x < width(); ++x) {
        uint32_t pixel = 0;
        std::memcpy(&pixel, row + 4 * x, 4);
        if ((pixel & 0xFFFFFF) == wanted) ++found;
      }
    }
    return found;
  }

 private:
  struct Source {
    const std::string& bytes;
    size_t at;
  };
  cairo_surface_t* surface_;
};

}  // namespace dsf
