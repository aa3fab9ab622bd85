#include "kernels/sample_top_n/sample_top_n.h"

#include <cmath>

namespace dsf {

void sample_top_n(const Context& ctx, IndexTensor tokens, ConstTensor logits,
                  const SampleSettings& settings, const RandomStream& stream) {
  DSF_CHECK(logits.rank() == 2 && logits.cols() > 0 && tokens.size() == logits.rows(),
            "tokens {} from logits {}", tokens.shape.str(), logits.shape.str());
  DSF_CHECK(settings.top_n >= 1, "top_n {}", settings.top_n);
  DSF_CHECK(settings.temperature > 0 && std::isfinite(settings.temperature), "temperature {}",
            settings.temperature);
  DSF_DISPATCH(sample_top_n, ctx, tokens, logits, settings, stream);
}

}  // namespace dsf
