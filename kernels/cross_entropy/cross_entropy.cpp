#include "kernels/cross_entropy/cross_entropy.h"

namespace dsf {

static void check(ConstTensor loss, ConstTensor losses, ConstTensor logits,
                  ConstIndexTensor targets, int64_t counted) {
  DSF_CHECK(loss.size() == 1, "loss {}", loss.shape.str());
  DSF_CHECK(logits.rank() == 2 && logits.rows() > 0 && targets.size() == logits.rows() &&
                losses.size() == logits.rows(),
            "logits {}, targets {}, losses {}", logits.shape.str(), targets.shape.str(),
            losses.shape.str());
  DSF_CHECK(counted > 0 && counted <= targets.size(), "{} of {} targets count", counted,
            targets.size());
}

void cross_entropy_forward(const Context& ctx, Tensor loss, Tensor losses, ConstTensor logits,
                           ConstIndexTensor targets, int64_t counted) {
  check(loss, losses, logits, targets, counted);
  DSF_DISPATCH(cross_entropy_forward, ctx, loss, losses, logits, targets, counted);
}

void cross_entropy_forward_backward(const Context& ctx, Tensor loss, Tensor losses,
                                    Gradient dlogits, ConstTensor logits, ConstIndexTensor targets,
                                    int64_t counted) {
  check(loss, losses, logits, targets, counted);
  DSF_CHECK(dlogits.tensor.shape == logits.shape, "dlogits {}, logits {}",
            dlogits.tensor.shape.str(), logits.shape.str());
  DSF_DISPATCH(cross_entropy_forward_backward, ctx, loss, losses, dlogits, logits, targets,
               counted);
}

}  // namespace dsf
