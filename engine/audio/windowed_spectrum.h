#pragma once
// Short-time spectra: the Fourier transform (kissfft) of Hann windows.
#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

struct kiss_fftr_state;

namespace dsf {

class WindowedSpectrum {
 public:
  /// Windows w[i] = ½ − ½·cos(2πi/size); `size` is even.
  explicit WindowedSpectrum(int64_t size);
  ~WindowedSpectrum();

  int64_t size() const { return static_cast<int64_t>(window_.size()); }
  size_t bins() const { return output_.size(); }  // size/2 + 1

  /// X[k] = Σ_i w[i]·x[centre − size/2 + i]·exp(−2πjik/size), not scaled: of a sine of amplitude 1
  /// |X| is size/4 in its bin. There is silence outside of `audio`. Valid until the next call.
  std::span<const std::complex<float>> at(std::span<const float> audio, int64_t centre);

 private:
  struct Free {
    void operator()(kiss_fftr_state* plan) const;
  };
  std::unique_ptr<kiss_fftr_state, Free> plan_;
  std::vector<float> window_;
  std::vector<float> input_;
  std::vector<std::complex<float>> output_;
};

}  // namespace dsf
