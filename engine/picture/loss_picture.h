#pragma once
// The picture of a training run: its losses by epoch.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dsf {

struct LossPicture {
  using Point = std::pair<double, double>;  // epoch (from 1) and loss, finite

  std::string title;
  std::vector<Point> training;    // by rising epoch, at least one
  std::vector<Point> validation;  // may be empty
  std::optional<Point> best;      // marked
};

/// The picture as the bytes of a PNG file. Both axes are linear.
std::string draw_losses(const LossPicture& losses);

/// Writes it to `file`, whole or not at all.
void write_loss_picture(const std::filesystem::path& file, const LossPicture& losses);

}  // namespace dsf
