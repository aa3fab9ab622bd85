#include "engine/audio/windowed_spectrum.h"

#include <kiss_fftr.h>

#include <cmath>
#include <new>
#include <numbers>

#include "kernels/common/checks.h"

namespace dsf {

WindowedSpectrum::WindowedSpectrum(int64_t size)
    : plan_(kiss_fftr_alloc(static_cast<int>(size), 0, nullptr, nullptr)),
      window_(static_cast<size_t>(size)),
      input_(window_.size()),
      output_(window_.size() / 2 + 1) {
  DSF_CHECK(size > 0 && size % 2 == 0, "a window of {} samples", size);
  if (!plan_) throw std::bad_alloc();
  for (size_t i = 0; i < window_.size(); ++i) {
    const double phase = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(size);
    window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(phase));
  }
}

WindowedSpectrum::~WindowedSpectrum() = default;

void WindowedSpectrum::Free::operator()(kiss_fftr_state* plan) const {
  kiss_fftr_free(plan);
}

std::span<const std::complex<float>> WindowedSpectrum::at(std::span<const float> audio,
                                                          int64_t centre) {
  const int64_t first = centre - size() / 2;
  for (int64_t i = 0; i < size(); ++i) {
    const int64_t at = first + i;
    const bool inside = at >= 0 && at < static_cast<int64_t>(audio.size());
    const auto index = static_cast<size_t>(i);
    input_[index] = inside ? audio[static_cast<size_t>(at)] * window_[index] : 0.0F;
  }
  static_assert(sizeof(kiss_fft_cpx) == sizeof(std::complex<float>));
  kiss_fftr(plan_.get(), input_.data(), reinterpret_cast<kiss_fft_cpx*>(output_.data()));
  return output_;
}

}  // namespace dsf
