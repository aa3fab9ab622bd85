#include "engine/dataset/piece_reader.h"

#include <algorithm>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int64_t kSamplesPerRead = 65536;

}  // namespace

PieceReader::PieceReader(const std::filesystem::path& path, const PieceGrid& grid)
    : grid_(grid), file_(path), mono_(file_), source_(mono_, static_cast<int>(grid.sample_rate)) {
  DSF_CHECK(grid.samples > 0 && grid.step > 0, "pieces of {} samples every {}", grid.samples,
            grid.step);
}

/// Reads on until `wanted` samples from the piece's begin on are there, or all there are.
bool PieceReader::fill(int64_t wanted) {
  const int64_t begin = index_ * grid_.step;
  for (;;) {
    // Where pieces lie apart, what is between them is dropped as it comes.
    const int64_t before = std::clamp<int64_t>(begin - begin_, 0, std::ssize(ready_));
    ready_.erase(ready_.begin(), ready_.begin() + before);
    begin_ += before;
    if (begin_ == begin && std::ssize(ready_) >= wanted) return true;
    const std::span<const float> part = source_.read(kSamplesPerRead);
    if (part.empty()) return false;
    ready_.insert(ready_.end(), part.begin(), part.end());
    length_ += std::ssize(part);
  }
}

bool PieceReader::next() {
  ++index_;
  return fill(grid_.samples);
}

std::span<const float> PieceReader::samples() const {
  return std::span(ready_).first(static_cast<size_t>(grid_.samples));
}

int64_t PieceReader::announced_length() const {
  const double seconds =
      static_cast<double>(file_.announced_frames()) / static_cast<double>(file_.sample_rate());
  return static_cast<int64_t>(seconds * static_cast<double>(grid_.sample_rate));
}

}  // namespace dsf
