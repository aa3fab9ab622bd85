#pragma once
// What tests ask of the simulated GPU's cuDNN.
#include <cstdint>
#include <string>

namespace dsf::simt {

struct Cudnn {
  std::string lacks;         // as if it were not there
  bool has_plans = true;     // for any convolution
  int64_t convolutions = 0;  // that it was given
};
inline Cudnn cudnn;

}  // namespace dsf::simt
