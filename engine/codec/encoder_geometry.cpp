#include "engine/codec/encoder_geometry.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// Samples that come out of encoder and decoder without padding, by the lengths alone: fewer than
/// none, where the layers cut off more than there is.
int64_t output_length(const std::vector<TimeLayer>& layers, int64_t samples) {
  int64_t length = samples;
  for (const TimeLayer& layer : layers) {
    const int64_t reach = layer.dilation * (layer.kernel - 1) + 1;
    length = layer.transposed ? (length - 1) * layer.stride + reach
                              : floor_divide(length - reach, layer.stride) + 1;
  }
  return length;
}

/// Samples that must go in for `length` to come out.
int64_t input_length(const std::vector<TimeLayer>& layers, int64_t length) {
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    const int64_t reach = layer->dilation * (layer->kernel - 1) + 1;
    length = layer->transposed ? -floor_divide(-(length - reach), layer->stride) + 1
                               : (length - 1) * layer->stride + reach;
  }
  return length;
}

}  // namespace

EncoderGeometry::EncoderGeometry(const CodecConfig& config) : layers_(encoder_layers(config)) {}

int64_t EncoderGeometry::frames(int64_t samples, bool padded) const {
  int64_t length = samples;
  for (const TimeLayer& layer : layers_) length = layer.length(length, padded);
  return length;
}

int64_t EncoderGeometry::largest_activation(int64_t samples) const {
  int64_t length = samples, largest = samples;
  for (const TimeLayer& layer : layers_) {  // padding only makes longer
    length = layer.length(length, true);
    largest = std::max(largest, length * layer.channels);
  }
  return largest;
}

CodecWindows::CodecWindows(const CodecConfig& config, double seconds) {
  std::vector<TimeLayer> layers = encoder_layers(config);
  std::ranges::copy(decoder_layers(config), std::back_inserter(layers));
  const int64_t shortest = output_length(layers, 0);
  delay = (input_length(layers, shortest) - shortest) / 2;
  const int64_t hop = config.hop();
  const double exact = std::floor(seconds * static_cast<double>(config.sample_rate));
  samples = (static_cast<int64_t>(exact) + hop - 1) / hop * hop;
  step = output_length(layers, samples);
  if (step < 1) {
    fail_usage(
        "windows of {} s are {} samples at {} Hz; the codec's layers cut {} of them off, more "
        "are needed",
        seconds, samples, config.sample_rate, samples - step);
  }
}

CodecWindows CodecWindows::whole(int64_t samples) {
  CodecWindows windows;
  windows.samples = windows.step = samples;
  windows.padded = true;
  return windows;
}

}  // namespace dsf
