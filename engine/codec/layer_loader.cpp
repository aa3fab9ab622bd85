#include "engine/codec/layer_loader.h"

#include <algorithm>

#include "kernels/common/convolution_numbers.h"
#include "kernels/common/device_memory.h"
#include "kernels/conv1d/conv1d.h"
#include "kernels/conv_transpose1d/conv_transpose1d.h"

namespace dsf {

// Of fewer channels transforms cost more than the products that they save.
static constexpr int64_t kLeastMinimalChannels = 32;

Tensor LayerLoader::alpha(const std::string& name, int64_t channels) {
  return stored(name + ".alpha", {1, channels, 1}, {channels});
}

Convolution LayerLoader::convolution(const std::string& name, int64_t inputs, int64_t outputs,
                                     int64_t kernel) {
  std::vector<float> folded = weights_.folded_weight(name, {outputs, inputs, kernel});
  const Tensor w(folded.data(), {outputs, inputs, kernel});
  if (minimal_ && kernel == kMinimalTaps && std::min(inputs, outputs) >= kLeastMinimalChannels &&
      !rounds_convolution(ctx_, inputs, outputs)) {
    Convolution minimal = prepared(name, {kMinimalPoints, inputs, outputs}, false,
                                   [&](Tensor to) { conv1d_prepare_minimal(to, w); });
    minimal.minimal = true;
    return minimal;
  }
  return prepared(name, {kernel, inputs, outputs}, false,
                  [&](Tensor to) { conv1d_prepare(Context{}, to, w); });
}

Convolution LayerLoader::upsampling(const std::string& name, int64_t inputs, int64_t outputs,
                                    int64_t kernel) {
  std::vector<float> folded = weights_.folded_weight(name, {inputs, outputs, kernel});
  return prepared(name, {inputs, kernel, outputs}, true, [&](Tensor w) {
    conv_transpose1d_prepare(Context{}, w, Tensor(folded.data(), {inputs, outputs, kernel}));
  });
}

Convolution LayerLoader::prepared(const std::string& name, const Shape& shape, bool transposed,
                                  const std::function<void(Tensor)>& write) {
  const int64_t outputs = shape[2];
  const Tensor b = stored(name + ".bias", {outputs}, {outputs});
  if (!rounds_convolution(ctx_, shape[transposed ? 0 : 1], outputs)) {
    return {filled(name + ".weight", shape, write), b};
  }
  Arena passing(ctx_);  // what is rounded is not kept
  LayerLoader to_passing(ctx_, passing, weights_);
  const Tensor w = to_passing.filled(name + ".weight", shape, write);
  const Tensor rounded = arena_.tensor(name + ".weight", {(w.size() + 1) / 2});
  round_convolution_weights(ctx_, rounded.data, w, transposed);
  if (ctx_.device == Device::cuda) cuda::synchronize(ctx_);
  return {{rounded.data, shape}, b, true, rounds_convolution_input(ctx_)};
}

ResidualUnit LayerLoader::residual_unit(const std::string& name, int64_t channels,
                                        int64_t dilation) {
  ResidualUnit unit;
  unit.dilation = dilation;
  unit.alpha = alpha(name + ".block.0", channels);
  unit.dilated = convolution(name + ".block.1", channels, channels, kConvolutionKernel);
  unit.inner_alpha = alpha(name + ".block.2", channels);
  unit.pointwise = convolution(name + ".block.3", channels, channels, 1);
  return unit;
}

ResidualUnits LayerLoader::residual_units(const std::string& name, int64_t first,
                                          int64_t channels) {
  ResidualUnits units;
  for (size_t i = 0; i < units.size(); ++i) {
    units[i] = residual_unit(fmt::format("{}.block.{}", name, first + static_cast<int64_t>(i)),
                             channels, kDilations[i]);
  }
  return units;
}

Tensor LayerLoader::stored(const std::string& name, const std::vector<int64_t>& shape,
                           const Shape& used) {
  const std::vector<float> values = weights_.floats(name, shape);
  return filled(name, used, [&](Tensor tensor) { std::ranges::copy(values, tensor.data); });
}

}  // namespace dsf
