#include "kernels/attention/attention.h"

namespace dsf {
namespace {

void check_like(ConstTensor tensor, ConstTensor q, const char* name) {
  DSF_CHECK(tensor.shape == q.shape, "{} {}, q {}", name, tensor.shape.str(), q.shape.str());
}

void check_heads(ConstTensor q, int64_t heads) {
  DSF_CHECK(heads > 0 && q.cols() % heads == 0, "{} heads of {}", heads, q.shape.str());
}

void check(ConstTensor y, ConstTensor softmax, ConstTensor q, ConstTensor k, ConstTensor v,
           int64_t heads, int64_t lookback, const DropoutStream& dropout) {
  DSF_CHECK(q.rank() == 3, "q {}", q.shape.str());
  check_like(y, q, "y");
  check_like(k, q, "k");
  check_like(v, q, "v");
  check_heads(q, heads);
  const Shape rows{q.dim(0), heads, q.dim(1), 3};
  DSF_CHECK(softmax.shape == rows, "softmax {}, expected {}", softmax.shape.str(), rows.str());
  DSF_CHECK(lookback >= 0, "lookback {}", lookback);
  DSF_CHECK(dropout.rate >= 0 && dropout.rate < 1, "rate {}", dropout.rate);
}

}  // namespace

void attention_forward(const Context& ctx, Tensor y, Tensor softmax, ConstTensor q, ConstTensor k,
                       ConstTensor v, int64_t heads, int64_t lookback,
                       const DropoutStream& dropout) {
  check(y, softmax, q, k, v, heads, lookback, dropout);
  DSF_DISPATCH(attention_forward, ctx, y, softmax, q, k, v, heads, lookback, dropout);
}

void attention_backward(const Context& ctx, Gradient dq, Gradient dk, Gradient dv, ConstTensor dy,
                        ConstTensor y, Tensor softmax, ConstTensor q, ConstTensor k, ConstTensor v,
                        int64_t heads, int64_t lookback, const DropoutStream& dropout) {
  check(y, softmax, q, k, v, heads, lookback, dropout);
  check_like(dy, q, "dy");
  check_like(dq.tensor, q, "dq");
  check_like(dk.tensor, q, "dk");
  check_like(dv.tensor, q, "dv");
  DSF_DISPATCH(attention_backward, ctx, dq, dk, dv, dy, y, softmax, q, k, v, heads, lookback,
               dropout);
}

void attention_step_forward(const Context& ctx, Tensor y, ConstTensor q, ConstTensor keys,
                            ConstTensor values, Counter frame, int64_t heads) {
  check_like(y, q, "y");
  check_heads(q, heads);
  DSF_CHECK(keys.shape == values.shape && keys.rank() == 3 && keys.dim(1) == q.rows() &&
                keys.dim(2) == q.cols(),
            "keys {}, values {} for q {}", keys.shape.str(), values.shape.str(), q.shape.str());
  DSF_CHECK(frame.device || frame.value >= 0, "frame {}", frame.value);
  DSF_DISPATCH(attention_step_forward, ctx, y, q, keys, values, frame, heads);
}

}  // namespace dsf
