#pragma once
// Who draws random numbers: the `purpose` of each RandomStream, so that no two users share one.
#include <cstdint>

namespace dsf {

enum RandomPurpose : uint32_t {
  purpose_initialisation = 1,  // step: index of the parameter
  purpose_shuffle = 2,         // step: epoch
  purpose_sampling = 3,        // step: frame
  purpose_priming = 4,         // step: 0
  purpose_crop = 5,            // step: epoch
  purpose_split = 6,           // step: 0; index: of the recording's name
  purpose_texture = 16,        // + class; step: take
  purpose_dropout = 1000,      // + site; step: batch of the training
};

}  // namespace dsf
