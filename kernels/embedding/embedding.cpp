#include "kernels/embedding/embedding.h"

namespace dsf {
namespace {

void check(ConstTensor y, ConstIndexTensor tokens, ConstTensor tables) {
  DSF_CHECK(tables.rank() == 3 && tokens.rank() == 2 && tokens.dim(1) == tables.dim(0),
            "tokens {}, tables {}", tokens.shape.str(), tables.shape.str());
  DSF_CHECK(y.rows() == tokens.dim(0) && y.cols() == tables.dim(0) * tables.dim(2),
            "y {} from tokens {}, tables {}", y.shape.str(), tokens.shape.str(),
            tables.shape.str());
}

}  // namespace

void embedding_forward(const Context& ctx, Tensor y, ConstIndexTensor tokens, ConstTensor tables) {
  check(y, tokens, tables);
  DSF_DISPATCH(embedding_forward, ctx, y, tokens, tables);
}

void embedding_backward(const Context& ctx, Gradient dtables, ConstTensor dy,
                        ConstIndexTensor tokens) {
  if (!dtables) return;
  check(dy, tokens, dtables.tensor);
  DSF_DISPATCH(embedding_backward, ctx, dtables, dy, tokens);
}

}  // namespace dsf
