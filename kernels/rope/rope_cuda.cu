#include "kernels/common/elements_cuda.h"
#include "kernels/common/gradient_cuda.h"
#include "kernels/rope/rope.h"

namespace dsf::cuda {

/// The tables, and how the heads lie in x.
struct Rotation {
  const float* first;
  const float* second;
  float direction;  // 1 forward, −1 back
  int64_t length;
  int heads, head_size;
};

/// What threads share out of a head: `width` planes each, and the last channel of an odd head.
template <int width>
__host__ __device__ static int head_shares(int head_size) {
  return head_size / 2 / width + head_size % 2;
}

/// y may be x: a thread reads what it writes before it writes it.
template <int width>
__global__ static void rotate_kernel(Gradient y, const float* x, Rotation r, int64_t shares) {
  const int64_t share = first_element<1>();
  if (share >= shares) return;
  const int of_head = head_shares<width>(r.head_size), planes = r.head_size / 2;
  const int64_t head = share / of_head;  // of all positions
  const int plane = static_cast<int>(share % of_head) * width;
  const int64_t at = head * r.head_size + plane;
  if (plane == planes) {
    put(y, at + planes, x[at + planes]);
    return;
  }
  const int64_t angle = head / r.heads % r.length * planes + plane;
  Vector<width> a = load<width>(x + at), b = load<width>(x + at + planes);
  const Vector<width> first = load<width>(r.first + angle), second = load<width>(r.second + angle);
  for (int i = 0; i < width; ++i) {
    const float s = r.direction * second[i], turned = a[i] * first[i] - b[i] * s;
    b[i] = a[i] * s + b[i] * first[i];
    a[i] = turned;
  }
  put(y, at, a);
  put(y, at + planes, b);
}

static void rotate(const Context& ctx, const Gradient& y, ConstTensor x, const Rotation& r) {
  const bool vectors = r.head_size % 2 == 0 &&
                       fits_vectors(r.head_size / 2, {y.tensor.data, x.data, r.first, r.second});
  const int of_head = vectors ? head_shares<4>(r.head_size) : head_shares<1>(r.head_size);
  const int64_t shares = x.rows() * r.heads * of_head;
  launch(vectors ? rotate_kernel<4> : rotate_kernel<1>, element_blocks(shares, false),
         kElementThreads, 0, stream_of(ctx), y, x.data, r, shares);
}

void rope_forward(const Context& ctx, Tensor y, ConstTensor x, int64_t heads, ConstTensor first,
                  ConstTensor second) {
  rotate(ctx, overwrite(y), x,
         {first.data, second.data, 1, x.dim(1), static_cast<int>(heads),
          static_cast<int>(x.dim(2) / heads)});
}

void rope_backward(const Context& ctx, Gradient dx, ConstTensor dy, int64_t heads,
                   ConstTensor first, ConstTensor second) {
  rotate(ctx, dx, dy,
         {first.data, second.data, -1, dy.dim(1), static_cast<int>(heads),
          static_cast<int>(dy.dim(2) / heads)});
}

}  // namespace dsf::cuda
