#pragma once
#include "kernels/common/random.h"

namespace dsf::testing {

/// What kernels/common/random.h promises of element `index`, straight from the random words: the
/// reference of every case with dropout.
inline double dropout_factor(const DropoutStream& dropout, size_t index) {
  const double rate = dropout.rate;
  const double word = random_words(dropout.stream, index / 4).at(index % 4);
  return word >= rate * 0x1p32 ? 1.0 / (1.0 - rate) : 0.0;
}

}  // namespace dsf::testing
