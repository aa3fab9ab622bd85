#include "engine/picture/generation_picture.h"

#include <algorithm>
#include <cmath>

#include "engine/files/atomic_file.h"
#include "engine/picture/plot.h"
#include "engine/picture/spectrogram.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

// The layout, in pixels: panels one above the other, legends in the right margin.
constexpr int kWidth = 1400;
constexpr double kLeft = 84, kRight = 210, kTop = 62, kGap = 26, kBottom = 62;
constexpr double kPanelWidth = kWidth - kLeft - kRight;
constexpr double kLegendX = kWidth - kRight + 22, kLegendTextX = kLegendX + 34;
constexpr double kConditioningHeight = 170, kWaveformHeight = 150, kImageHeight = 360;

constexpr double kDecibelRange = 80;  // of a spectrogram's colours

Axis time_axis(double seconds) {
  return {0, seconds, "Time (s)", even_ticks(0, seconds, 12)};
}

/// Classes that never sound are left out; parameters are always shown.
bool is_shown(const GenerationPicture& generation, int64_t component) {
  if (component >= generation.num_classes) return true;
  for (int64_t s = 0; s < generation.conditioning.frames; ++s) {
    if (generation.conditioning.frame(s)[component] != 0) return true;
  }
  return false;
}

std::vector<std::pair<double, double>> trajectory(const GenerationPicture& generation,
                                                  int64_t component) {
  const Conditioning& conditioning = generation.conditioning;
  // Two points per pixel show all that can be seen.
  const int64_t points = std::min(conditioning.frames, static_cast<int64_t>(2 * kPanelWidth));
  std::vector<std::pair<double, double>> result;
  const auto time_of = [&](int64_t frame) {
    return generation.seconds * static_cast<double>(frame) /
           static_cast<double>(conditioning.frames);
  };
  for (int64_t i = 0; i < points; ++i) {
    const int64_t frame = i * conditioning.frames / points;
    result.emplace_back(time_of(frame), conditioning.frame(frame)[component]);
  }
  result.emplace_back(generation.seconds, conditioning.frame(conditioning.frames - 1)[component]);
  return result;
}

Axis conditioning_axis(const Conditioning& conditioning) {
  float low = 0, high = 1;
  for (const float value : conditioning.values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const double margin = 0.06 * static_cast<double>(high - low);  // lines at the ends stay whole
  return {low - margin, high + margin, "Conditioning", even_ticks(low, high, 5)};
}

void draw_conditioning(Picture& picture, const Rectangle& area,
                       const GenerationPicture& generation) {
  const Panel panel{area, time_axis(generation.seconds),
                    conditioning_axis(generation.conditioning)};
  picture.grid(panel);
  double legend_y = area.y + 8;
  size_t shown = 0;
  for (int64_t i = 0; i < generation.conditioning.size; ++i) {
    if (!is_shown(generation, i)) continue;
    const LineStyle style{line_color(shown++), i >= generation.num_classes};
    picture.line(panel, trajectory(generation, i), style);
    if (legend_y > area.y + area.height + kGap) continue;  // the legend is full
    picture.line_sample(kLegendX, legend_y, 26, style);
    picture.text(kLegendTextX, legend_y + 4.5, generation.names[static_cast<size_t>(i)],
                 Picture::Align::left, {}, kWidth - kLegendTextX - 8);
    legend_y += 21;
  }
  picture.frame(panel, false);
}

/// Lowest and highest sample of every pixel column.
std::vector<std::pair<double, double>> envelope(std::span<const float> audio, int64_t columns) {
  std::vector<std::pair<double, double>> result;
  const auto size = static_cast<int64_t>(audio.size());
  for (int64_t column = 0; column < columns; ++column) {
    const int64_t begin = column * size / columns;
    const int64_t end = std::max(begin + 1, (column + 1) * size / columns);
    const auto part = audio.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    const auto [low, high] = std::minmax_element(part.begin(), part.end());
    result.emplace_back(*low, *high);
  }
  return result;
}

void draw_waveform(Picture& picture, const Rectangle& area, const GenerationPicture& generation) {
  const auto columns = envelope(generation.audio, static_cast<int64_t>(area.width));
  double peak = 0;
  for (const auto& [low, high] : columns) peak = std::max({peak, -low, high});
  double limit = 1;  // the power of two that just holds the peak; 1 for silence
  while (limit / 2 >= peak && peak > 0 && limit > 0.002) limit /= 2;
  while (limit < peak && std::isfinite(peak)) limit *= 2;
  const Panel panel{area,
                    time_axis(generation.seconds),
                    {-limit, limit, "Amplitude", even_ticks(-limit, limit, 5)}};
  picture.grid(panel);
  picture.band(panel, columns, line_color(0));
  picture.frame(panel, false);
}

/// Says what the colours of an image mean: a bar in the right margin with `ticks` beside it.
void draw_color_bar(Picture& picture, const Rectangle& area, const Axis& axis) {
  const Rectangle bar{kLegendX, area.y, 16, area.height};
  picture.image(bar, [&](int64_t, int64_t row) {
    return scale_color(1 - (static_cast<double>(row) + 0.5) / bar.height);
  });
  for (const Axis::Tick& tick : axis.ticks) {
    picture.text(bar.x + bar.width + 8, bar.y + (1 - axis.position(tick.value)) * bar.height + 4.5,
                 tick.label, Picture::Align::left, {});
  }
  picture.upward_text(bar.x + bar.width + 58, bar.y + bar.height / 2, axis.title, {});
}

void draw_spectrogram(Picture& picture, const Rectangle& area,
                      const GenerationPicture& generation) {
  const Spectrogram spectrogram =
      compute_spectrogram(generation.audio, generation.sample_rate,
                          static_cast<int64_t>(area.width), static_cast<int64_t>(area.height));
  const double loudest =
      *std::max_element(spectrogram.decibels.begin(), spectrogram.decibels.end());
  const double ceiling = std::max(-100.0, 10 * std::ceil(loudest / 10));
  const double floor = ceiling - kDecibelRange;
  const Axis level{floor, ceiling, "Level (dB)", even_ticks(floor, ceiling, 8)};
  picture.image(area, [&](int64_t column, int64_t row) {
    const auto index = static_cast<size_t>(row * spectrogram.columns + column);
    return scale_color(level.position(spectrogram.decibels[index]));
  });
  const double low = spectrogram.lowest_hz, high = spectrogram.highest_hz;
  picture.frame({area,
                 time_axis(generation.seconds),
                 {low, high, "Frequency (Hz)", frequency_ticks(low, high), true}},
                true);
  draw_color_bar(picture, area, level);
}

void draw_tokens(Picture& picture, const Rectangle& area, const GenerationPicture& generation) {
  const int64_t codebooks = generation.num_codebooks;
  const int64_t frames = static_cast<int64_t>(generation.tokens.size()) / codebooks;
  const double last = static_cast<double>(std::max<int64_t>(1, generation.vocab_size - 1));
  picture.image(area, [&](int64_t column, int64_t row) {
    const int64_t frame = column * frames / static_cast<int64_t>(area.width);
    const int64_t codebook = row * codebooks / static_cast<int64_t>(area.height);
    return scale_color(generation.tokens[static_cast<size_t>(frame * codebooks + codebook)] / last);
  });
  Axis books{0, static_cast<double>(codebooks), "Codebook", {}};
  for (int64_t i = 0; i < codebooks; ++i) {  // the first on top
    books.ticks.push_back({static_cast<double>(codebooks - i) - 0.5, std::to_string(i + 1)});
  }
  picture.frame({area, time_axis(generation.seconds), books}, true);
  draw_color_bar(picture, area, {0, last, "Codeword", even_ticks(0, last, 6)});
}

void check(const GenerationPicture& generation) {
  const Conditioning& conditioning = generation.conditioning;
  DSF_CHECK(conditioning.frames >= 1 && generation.seconds > 0, "{} frames, {} s",
            conditioning.frames, generation.seconds);
  DSF_CHECK(static_cast<int64_t>(generation.names.size()) == conditioning.size,
            "{} names for {} components", generation.names.size(), conditioning.size);
  if (!generation.audio.empty()) return;
  DSF_CHECK(generation.num_codebooks >= 1 &&
                static_cast<int64_t>(generation.tokens.size()) >= generation.num_codebooks,
            "{} tokens of {} codebooks", generation.tokens.size(), generation.num_codebooks);
}

}  // namespace

std::string draw_generation(const GenerationPicture& generation) {
  check(generation);
  const bool decoded = !generation.audio.empty();
  const double above_image =
      kTop + kConditioningHeight + kGap + (decoded ? kWaveformHeight + kGap : 0);
  Picture picture(kWidth, static_cast<int>(above_image + kImageHeight + kBottom));
  picture.text(kLeft, 36, generation.title, Picture::Align::left, {18, true}, kWidth - kLeft - 8);
  const Rectangle conditioning{kLeft, kTop, kPanelWidth, kConditioningHeight};
  draw_conditioning(picture, conditioning, generation);
  const Rectangle image{kLeft, above_image, kPanelWidth, kImageHeight};
  if (decoded) {
    const Rectangle waveform{kLeft, kTop + kConditioningHeight + kGap, kPanelWidth,
                             kWaveformHeight};
    draw_waveform(picture, waveform, generation);
    draw_spectrogram(picture, image, generation);
  } else {
    draw_tokens(picture, image, generation);
  }
  return picture.png();
}

void write_generation_picture(const std::filesystem::path& file,
                              const GenerationPicture& generation) {
  write_file_atomically(file, draw_generation(generation));
}

}  // namespace dsf
