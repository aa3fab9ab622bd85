#include "kernels/common/convolution_numbers.h"

#include <algorithm>
#include <vector>

#include "kernels/common/bfloat16.h"
#include "kernels/common/multiversion.h"
#include "kernels/common/parallel.h"

namespace dsf {

bool rounds_convolution(const Context& ctx, int64_t inputs, int64_t outputs) {
  if (ctx.precision != Precision::bf16) return false;
  // Of fewer channels products are no faster than in float32.
  if (ctx.device == Device::cpu) return std::min(inputs, outputs) >= 32;
  // What the tiles on tensor cores can copy; a single output has a kernel of its own.
  return inputs % 8 == 0 && outputs % 4 == 0;
}

bool rounds_convolution_input(const Context& ctx) {
  return ctx.device == Device::cuda;
}

void round_convolution_weights(const Context& ctx, void* to, ConstTensor w, bool transposed) {
  DSF_CHECK(w.rank() == 3, "w {}", w.shape.str());
  DSF_DISPATCH(round_convolution_weights, ctx, to, w, transposed);
}

namespace cpu {

DSF_MULTIVERSION static void round_all(uint16_t* __restrict to, const float* __restrict from,
                                       int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = to_bf16(from[i]);
}

void round_convolution_weights(const Context&, void* to, ConstTensor w, bool) {
  parallel_for(w.size(), 16384, [&](int64_t begin, int64_t end) {
    round_all(static_cast<uint16_t*>(to) + begin, w.data + begin, end - begin);
  });
}

const uint16_t* rounded_rows(const float* x, int64_t frames, int64_t cols, int64_t first,
                             int64_t rows) {
  thread_local std::vector<uint16_t> memory;  // grown to what the largest layer needs
  const auto size = static_cast<size_t>(rows * cols);
  if (memory.size() < size) {
    memory.clear();  // nothing of it is to be copied
    memory.resize(size);
  }
  uint16_t* const to = memory.data();
  const int64_t begin = std::clamp<int64_t>(-first, 0, rows);
  const int64_t end = std::clamp<int64_t>(frames - first, begin, rows);
  std::fill_n(to, begin * cols, uint16_t{0});
  if (begin < end) round_all(to + begin * cols, x + (first + begin) * cols, (end - begin) * cols);
  std::fill_n(to + end * cols, (rows - end) * cols, uint16_t{0});
  return to;
}

}  // namespace cpu
}  // namespace dsf
