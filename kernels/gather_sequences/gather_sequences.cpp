#include "kernels/gather_sequences/gather_sequences.h"

namespace dsf {

static void check_places(ConstIndexTensor places, int64_t bound, const char* what) {
  for (int64_t i = 0; i < places.size(); ++i) {
    DSF_CHECK(places[i] >= 0 && places[i] < bound, "{} {} at place {}, expected 0 … {}", what,
              places[i], i, bound - 1);
  }
}

void gather_sequences(const Context& ctx, IndexTensor inputs, IndexTensor targets,
                      Tensor batch_cond, ConstIndexTensor tokens, ConstTensor cond,
                      ConstIndexTensor begins, ConstIndexTensor files, int64_t frames,
                      int32_t start_code, int64_t delay) {
  DSF_CHECK(inputs.shape == targets.shape && inputs.rank() == 3, "inputs {}, targets {}",
            inputs.shape.str(), targets.shape.str());
  DSF_CHECK(begins.size() == inputs.dim(0) && files.size() == inputs.dim(0),
            "{} begins and {} files of inputs {}", begins.size(), files.size(), inputs.shape.str());
  DSF_CHECK(tokens.rank() == 2 && tokens.cols() == inputs.cols() && tokens.rows() >= frames,
            "tokens {} for {} frames of inputs {}", tokens.shape.str(), frames, inputs.shape.str());
  DSF_CHECK(inputs.dim(1) == frames || inputs.dim(1) == frames - 1, "inputs {} of {} frames",
            inputs.shape.str(), frames);
  DSF_CHECK(delay == 0 || (delay > 0 && inputs.dim(1) == frames),
            "delay {}, inputs {} of {} frames", delay, inputs.shape.str(), frames);
  DSF_CHECK(batch_cond.rows() == inputs.dim(0) && batch_cond.cols() == cond.cols(),
            "batch_cond {} of cond {} for inputs {}", batch_cond.shape.str(), cond.shape.str(),
            inputs.shape.str());
  if (ctx.device == Device::cpu) {
    check_places(begins, tokens.rows() - frames + 1, "begin");
    check_places(files, cond.rows(), "file");
  }
  DSF_DISPATCH(gather_sequences, ctx, inputs, targets, batch_cond, tokens, cond, begins, files,
               frames, start_code, delay);
}

}  // namespace dsf
