#pragma once
// What tests ask of the simulated GPU's cuDNN.
#include <cstdint>

namespace dsf::simt {

struct Cudnn {
  bool has_plans = true;     // for any convolution
  int64_t convolutions = 0;  // that it was given
};
inline Cudnn cudnn;

}  // namespace dsf::simt
