#include "engine/codec/window_encoder.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace dsf {

WindowEncoder::WindowEncoder(CodecEncoder& encoder, const CodecWindows& windows, int64_t samples,
                             int64_t n_codebooks)
    : encoder_(&encoder),
      windows_(windows),
      left_((samples + windows.step - 1) / windows.step),
      samples_(static_cast<size_t>(windows.delay)),
      codes_(static_cast<size_t>(n_codebooks)) {}

void WindowEncoder::encode_full() {
  while (left_ > 0 && std::ssize(samples_) >= windows_.samples) encode_next();
}

void WindowEncoder::finish() {
  while (left_ > 0) {
    samples_.resize(std::max(samples_.size(), static_cast<size_t>(windows_.samples)));
    encode_next();
  }
}

void WindowEncoder::encode_next() {
  const ConstIndexTensor codes =
      encoder_->encode(std::span(samples_).first(static_cast<size_t>(windows_.samples)),
                       std::ssize(codes_), windows_.padded);
  frames_per_window_ = codes.dim(1);
  for (int64_t n = 0; n < codes.dim(0); ++n) {
    std::transform(codes.row(n), codes.row(n) + codes.dim(1),
                   std::back_inserter(codes_[static_cast<size_t>(n)]),
                   [](int32_t code) { return static_cast<uint16_t>(code); });
  }
  samples_.erase(samples_.begin(),
                 samples_.begin() + std::min(windows_.step, std::ssize(samples_)));
  --left_;
}

}  // namespace dsf
