#include "engine/picture/loss_picture.h"

#include <algorithm>

#include "engine/files/atomic_file.h"
#include "engine/picture/plot.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

using Point = LossPicture::Point;

// The layout, in pixels: one panel, the legend in the right margin.
constexpr int kLossWidth = 1200, kLossHeight = 560;
constexpr double kLossLeft = 84, kLossRight = 230, kLossTop = 62, kLossBottom = 62;
constexpr Rectangle kLossArea{kLossLeft, kLossTop, kLossWidth - kLossLeft - kLossRight,
                              kLossHeight - kLossTop - kLossBottom};
constexpr double kLossLegendX = kLossWidth - kLossRight + 22, kLossLegendTextX = kLossLegendX + 34;
constexpr double kLossLegendSpacing = 21;
constexpr Color kBestColor = {0.2, 0.2, 0.2};
constexpr LineStyle kBestStyle = {kBestColor, true};

Axis epoch_axis(double last) {
  last = std::max(last, 2.0);
  return {0, last, "Epoch", even_ticks(0, last, std::min(12, static_cast<int>(last)))};
}

/// From the lowest loss to the highest, with a margin so that lines at the ends stay whole.
Axis loss_axis(const LossPicture& losses) {
  double low = losses.training.front().second, high = low;
  for (const auto* points : {&losses.training, &losses.validation}) {
    for (const Point& point : *points) {
      low = std::min(low, point.second);
      high = std::max(high, point.second);
    }
  }
  if (losses.best) low = std::min(low, losses.best->second);
  // Losses that do not differ to the eye are shown as a flat line in the middle.
  const double margin = std::max({0.06 * (high - low), 1e-3 * std::abs(high), 1e-6});
  return {low - margin, high + margin, "Loss (nats per code)",
          even_ticks(low - margin, high + margin, 8)};
}

/// Some points per pixel show all that can be seen.
std::vector<Point> thinned(const std::vector<Point>& points) {
  const size_t most = 4 * static_cast<size_t>(kLossArea.width);
  const size_t stride = points.size() / most + 1;
  std::vector<Point> result;
  for (size_t i = 0; i < points.size(); i += stride) result.push_back(points[i]);
  if ((points.size() - 1) % stride != 0) result.push_back(points.back());
  return result;
}

class Legend {
 public:
  explicit Legend(Picture& picture) : picture_(picture) {}
  void add(const std::string& name, const LineStyle& style) {
    picture_.line_sample(kLossLegendX, y_, 26, style);
    text(name);
  }
  void text(const std::string& text) {
    picture_.text(kLossLegendTextX, y_ + 4.5, text, Picture::Align::left, {},
                  kLossWidth - kLossLegendTextX - 8);
    y_ += kLossLegendSpacing;
  }

 private:
  Picture& picture_;
  double y_ = kLossTop + 8;
};

}  // namespace

std::string draw_losses(const LossPicture& losses) {
  DSF_CHECK(!losses.training.empty(), "no losses of '{}'", losses.title);
  Picture picture(kLossWidth, kLossHeight);
  picture.text(kLossLeft, 36, losses.title, Picture::Align::left, {18, true},
               kLossWidth - kLossLeft - 8);
  const double last = std::max(losses.training.back().first, losses.best ? losses.best->first : 0);
  const Panel panel{kLossArea, epoch_axis(last), loss_axis(losses)};
  picture.grid(panel);
  Legend legend(picture);
  const auto draw = [&](const std::vector<Point>& points, const char* name, const Color& color) {
    if (points.empty()) return;
    picture.line(panel, thinned(points), {color});
    if (points.size() == 1) {  // no line can be seen
      picture.dot(panel, points[0].first, points[0].second, 3, color);
    }
    legend.add(name, {color});
  };
  draw(losses.training, "training", line_color(0));
  draw(losses.validation, "validation", line_color(1));
  if (losses.best) {
    const auto [epoch, loss] = *losses.best;
    picture.line(panel, {{epoch, panel.y.low}, {epoch, panel.y.high}}, kBestStyle);
    picture.dot(panel, epoch, loss, 5, kBestColor);
    legend.add(fmt::format("best: epoch {:.0f},", epoch), kBestStyle);
    legend.text(fmt::format("validation loss {:.4f}", loss));
  }
  picture.frame(panel, true);
  return picture.png();
}

void write_loss_picture(const std::filesystem::path& file, const LossPicture& losses) {
  write_file_atomically(file, draw_losses(losses));
}

}  // namespace dsf
