#include "kernels/sample_top_n/sample_top_n.h"

#include <cmath>

namespace dsf {

void sample_top_n(const Context& ctx, IndexTensor tokens, ConstTensor logits,
                  const SampleSettings& settings, const SampleStreams& streams) {
  DSF_CHECK(logits.rank() == 2 && logits.cols() > 0 && tokens.size() == logits.rows(),
            "tokens {} from logits {}", tokens.shape.str(), logits.shape.str());
  DSF_CHECK(settings.top_n >= 1, "top_n {}", settings.top_n);
  DSF_CHECK(settings.temperature > 0 && std::isfinite(settings.temperature), "temperature {}",
            settings.temperature);
  DSF_CHECK(settings.min_p >= 0 && settings.min_p <= 1, "min_p {}", settings.min_p);
  const int64_t count = streams.seeds.size() / 2;
  DSF_CHECK(streams.seeds.rank() == 2 && streams.seeds.cols() == 2 && count > 0 &&
                logits.rows() % count == 0,
            "seeds {} for logits {}", streams.seeds.shape.str(), logits.shape.str());
  DSF_DISPATCH(sample_top_n, ctx, tokens, logits, settings, streams);
}

}  // namespace dsf
