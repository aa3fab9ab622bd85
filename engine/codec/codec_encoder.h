#pragma once
// Runs a codec's encoder on a fixed amount of memory: one of these per thread.
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/codec/activations.h"
#include "engine/codec/codec.h"

namespace dsf {

class CodecEncoder {
 public:
  /// Called with "encoder_out" [1, T, L] (before it is quantised) and "latents" [1, T, N·D] (what
  /// each codebook looked up); tensors on the codec's device, valid during the call only.
  using Probe = std::function<void(std::string_view stage, ConstTensor activation)>;

  /// Allocates what encoding `max_samples` at once takes. `codec` must outlive it, and have been
  /// loaded with its encoder.
  CodecEncoder(const Codec& codec, int64_t max_samples);

  /// The codes [N, T] of mono samples at the codec's rate, in the host's memory and valid until the
  /// next call: of the N = `n_codebooks` leading codebooks. The samples, 1 … max_samples of them,
  /// are filled up with silence to whole frames. Without padding (`dac`'s windows) there are fewer
  /// frames than hops. An Error where latents are not finite.
  ConstIndexTensor encode(std::span<const float> samples, int64_t n_codebooks, bool padded = true,
                          const Probe& probe = {});

 private:
  Tensor run_layers(Tensor x, bool padded) const;

  const Codec& codec_;
  int64_t max_samples_;
  Arena arena_;
  Activations activations_;
  Tensor projections_;
  IndexTensor device_codes_;
  std::vector<float> padded_;  // the samples and the silence after them
  std::optional<HostValues<int32_t>> codes_;
};

}  // namespace dsf
