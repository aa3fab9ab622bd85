#pragma once
// The buffers between which a codec's layers take turns.
#include <array>
#include <string>

#include "engine/codec/layer_loader.h"
#include "engine/model/arena.h"
#include "kernels/conv1d/conv1d.h"

namespace dsf {

/// How a convolution of kernel 7 moves over time.
Conv1dSpec convolution_spec(int64_t dilation, bool padded);

/// x [1, T, C], and Snake of it by what is next, in another buffer, as bf16 or not.
struct Activated {
  Tensor x, snake;
  bool bf16 = false;
};

class Activations {
 public:
  /// Buffers of `size` floats under `name`.
  Activations(Arena& arena, const std::string& name, int64_t size);

  /// A buffer to begin in.
  Tensor first() const { return buffers_[0]; }
  /// The first of the three buffers that x does not lie in, and the second.
  std::array<Tensor, 2> others(Tensor x) const;
  /// The one that neither lies in.
  Tensor other(const Activated& in) const;

  /// x through a unit, in its own buffers: the next x, and its Snake for `next`. Without padding x
  /// is its middle plus the branch.
  Activated run_unit(const Context& ctx, const Activated& in, const ResidualUnit& unit,
                     const SnakeInto& next, bool padded) const;

 private:
  std::array<Tensor, 3> buffers_;
};

}  // namespace dsf
