#include "kernels/linear/bf16_operands.h"

#include <algorithm>
#include <array>

namespace dsf::cuda {

using cublaslt::Product;
using cublaslt::Rounded;
using cublaslt::Transpose;

namespace {

/// A product's A and B as they are stored.
Bf16Copy stored_a(const Product& p) {
  const bool transposed = p.transpose_a == Transpose::yes;
  return {p.a, transposed ? p.k : p.m, transposed ? p.m : p.k, p.lda};
}
Bf16Copy stored_b(const Product& p) {
  const bool transposed = p.transpose_b == Transpose::yes;
  return {p.b, transposed ? p.n : p.k, transposed ? p.k : p.n, p.ldb};
}

/// The matrices that products read, each once.
class Operands {
 public:
  void add(const Product& p) {
    if (p.m == 0) return;
    for (const Bf16Copy& matrix : {stored_a(p), stored_b(p)}) {
      if (!find(matrix)) copies_.at(count_++) = matrix;
    }
  }
  int64_t elements() const {
    int64_t sum = 0;
    for (const Bf16Copy& copy : all()) sum += copy.rows * bf16_leading(copy.cols);
    return sum;
  }
  /// `memory` has two bytes for each of elements().
  void place(void* memory) {
    auto* to = static_cast<uint16_t*>(memory);
    for (size_t i = 0; i < count_; ++i) {
      copies_[i].to = to;
      to += copies_[i].rows * bf16_leading(copies_[i].cols);
    }
  }
  void give(Product& p) const {
    if (p.m == 0) return;
    p.a_rounded = rounded(stored_a(p));
    p.b_rounded = rounded(stored_b(p));
  }
  /// Behind this what is given away is not found.
  void mask(const Bf16Mask& mask) {
    for (size_t i = 0; mask.matrix && i < count_; ++i) {
      if (copies_[i].from != mask.matrix) continue;
      copies_[i].from = mask.of;
      copies_[i].positive = mask.positive;
    }
  }
  std::span<const Bf16Copy> all() const { return {copies_.data(), count_}; }

 private:
  const Bf16Copy* find(const Bf16Copy& matrix) const {
    const auto found = std::ranges::find_if(all(), [&](const Bf16Copy& copy) {
      return copy.from == matrix.from && copy.rows == matrix.rows && copy.cols == matrix.cols &&
             copy.leading == matrix.leading;
    });
    return found == all().end() ? nullptr : &*found;
  }
  Rounded rounded(const Bf16Copy& matrix) const {
    return {find(matrix)->to, bf16_leading(matrix.cols)};
  }

  std::array<Bf16Copy, kMostBf16Copies> copies_;
  size_t count_ = 0;
};

}  // namespace

void round_operands(const Context& ctx, Product& first, Product& second, const Bf16Mask& mask) {
  if (ctx.precision != Precision::bf16) return;
  Operands operands;
  operands.add(first);
  operands.add(second);
  const int64_t elements = operands.elements();
  if (elements == 0 || !cublaslt::worth_rounding({&first, &second}, elements)) return;
  operands.place(bf16_memory(ctx, elements));
  operands.give(first);
  operands.give(second);
  operands.mask(mask);
  round_to_bf16(ctx, operands.all());
}

}  // namespace dsf::cuda
