// Convolutions of any number of channels, in float32: tiles of x and w are gathered into shared
// memory number by number. And which kernel a convolution is given to.
#include "kernels/common/convolution.h"
#include "kernels/common/launch.h"
#include "kernels/common/vector.h"
#include "kernels/snake/snake.h"

namespace dsf::cuda {

namespace {

/// A block computes `frames` x `channels` of y, a thread 4 x 4 of them, kDepth terms (a tap and an
/// input each) of the sums at a time.
template <int frames, int channels>
struct Tile {
  static constexpr int kFrames = frames, kChannels = channels, kDepth = 16, kSide = 4;
  static constexpr int kThreads = kFrames * kChannels / (kSide * kSide);
  /// Threads that load the same term, and what each of them loads of it.
  static constexpr int kLoaders = kThreads / kDepth;
  static constexpr int kFrameLoads = kFrames / kLoaders, kChannelLoads = kChannels / kLoaders;
  /// x lies in shared memory by term; the padding spreads the terms of a frame over the banks.
  static constexpr int kFramePitch = kFrames + 4;
};

/// A term of the sums, the terms counted tap by tap. It moves on without division.
struct Term {
  int tap = 0, input = 0;

  __device__ Term(int number, int inputs) { advance(number, inputs); }
  __device__ void advance(int count, int inputs) {
    for (input += count; input >= inputs; input -= inputs) ++tap;
  }
};

/// Terms of x and w on their way to shared memory.
template <class Tile>
struct Loader {
  const Convolution& c;
  const float* x;  // of the sequence
  int phase, taps, first_frame, first_channel;
  Term x_term, w_term;
  float x_values[Tile::kFrameLoads], w_values[Tile::kChannelLoads];

  // Neighbouring threads load neighbouring inputs of x and neighbouring channels of w.
  __device__ static int x_depth() { return static_cast<int>(threadIdx.x) % Tile::kDepth; }
  __device__ static int w_depth() { return static_cast<int>(threadIdx.x) / Tile::kLoaders; }
  __device__ static int frame(int load) {
    return static_cast<int>(threadIdx.x) / Tile::kDepth + load * Tile::kLoaders;
  }
  __device__ static int channel(int load) {
    return static_cast<int>(threadIdx.x) % Tile::kLoaders + load * Tile::kLoaders;
  }

  __device__ Loader(const Convolution& convolution, const float* sequence, int of_phase,
                    int number_of_taps, int from_frame, int from_channel)
      : c(convolution),
        x(sequence),
        phase(of_phase),
        taps(number_of_taps),
        first_frame(from_frame),
        first_channel(from_channel),
        x_term(x_depth(), c.inputs),
        w_term(w_depth(), c.inputs) {}

  /// Begins to load the next kDepth terms; behind the last they are 0.
  __device__ void fetch() {
    const int offset = x_term.tap * c.step + c.offset;
    for (int load = 0; load < Tile::kFrameLoads; ++load) {
      const int t = (first_frame + frame(load)) * c.stride + offset;
      const bool exists = x_term.tap < taps && t >= 0 && t < c.frames;
      x_values[load] = exists ? x[int64_t{t} * c.inputs + x_term.input] : 0.0F;
    }
    const int64_t row =
        int64_t{phase + w_term.tap * c.phases} * c.tap_rows + int64_t{w_term.input} * c.input_rows;
    for (int load = 0; load < Tile::kChannelLoads; ++load) {
      const int o = first_channel + channel(load);
      const bool exists = w_term.tap < taps && o < c.outputs;
      w_values[load] = exists ? c.w[row * c.outputs + o] : 0.0F;
    }
    x_term.advance(Tile::kDepth, c.inputs);
    w_term.advance(Tile::kDepth, c.inputs);
  }
  __device__ void put(float* xs, float* ws) const {
    for (int load = 0; load < Tile::kFrameLoads; ++load) {
      xs[x_depth() * Tile::kFramePitch + frame(load)] = x_values[load];
    }
    for (int load = 0; load < Tile::kChannelLoads; ++load) {
      ws[w_depth() * Tile::kChannels + channel(load)] = w_values[load];
    }
  }
};

/// The 4 x 4 sums of a thread.
template <class Tile>
struct Sums {
  Vector<4> of_frames[Tile::kSide];

  __device__ static int frame() {
    return static_cast<int>(threadIdx.x) / (Tile::kChannels / Tile::kSide) * Tile::kSide;
  }
  __device__ static int channel() {
    return static_cast<int>(threadIdx.x) % (Tile::kChannels / Tile::kSide) * Tile::kSide;
  }
  /// They start from the bias of channels first_channel …, where there is one.
  __device__ Sums(const Convolution& c, int first_channel) {
    for (int k = 0; k < 4; ++k) {
      const int o = first_channel + channel() + k;
      const float start = c.b && o < c.outputs ? c.b[o] : 0.0F;
      for (Vector<4>& sums : of_frames) sums[k] = start;
    }
  }
  __device__ void add_products(const float* xs, const float* ws) {
    for (int depth = 0; depth < Tile::kDepth; ++depth) {
      const Vector<4> left = load<4>(xs + depth * Tile::kFramePitch + frame());
      const Vector<4> right = load<4>(ws + depth * Tile::kChannels + channel());
      for (int i = 0; i < Tile::kSide; ++i) {
        for (int k = 0; k < 4; ++k) of_frames[i][k] += left[i] * right[k];
      }
    }
  }
};

}  // namespace

template <int width>
__device__ static void put_or_add(float* y, Vector<width> values, bool add) {
  if (add) {
    const Vector<width> old = load<width>(y);
    for (int k = 0; k < width; ++k) values[k] += old[k];
  }
  store(y, values);
}

template <class Tile>
__global__ static void __launch_bounds__(Tile::kThreads)
    convolution_kernel(Convolution c, Finish finish, bool vectors) {
  DSF_SHARED(Vector<4>, x_tile, Tile::kDepth * Tile::kFramePitch / 4);
  DSF_SHARED(Vector<4>, w_tile, Tile::kDepth * Tile::kChannels / 4);
  auto* xs = reinterpret_cast<float*>(x_tile);
  auto* ws = reinterpret_cast<float*>(w_tile);
  const int first_row = static_cast<int>(blockIdx.x) * Tile::kFrames;
  const int first_channel = static_cast<int>(blockIdx.y) * Tile::kChannels;
  const int phase = static_cast<int>(blockIdx.z) % c.phases;
  const int64_t sequence = static_cast<int>(blockIdx.z) / c.phases;
  const int taps = (c.kernel - phase + c.phases - 1) / c.phases;  // 0 where the kernel has gaps

  Sums<Tile> sums(c, first_channel);
  Loader<Tile> loader(c, c.x + sequence * c.frames * c.inputs, phase, taps, first_row,
                      first_channel);
  loader.fetch();
  for (int depth = 0; depth < taps * c.inputs; depth += Tile::kDepth) {
    loader.put(xs, ws);
    __syncthreads();
    loader.fetch();  // arrives while this is multiplied
    sums.add_products(xs, ws);
    __syncthreads();
  }

  if (finish == Finish::tanh) {
    for (Vector<4>& values : sums.of_frames) {
      for (int k = 0; k < 4; ++k) values[k] = tanhf(values[k]);
    }
  }
  const int o = first_channel + Sums<Tile>::channel();
  const bool add = finish == Finish::add;
  for (int i = 0; i < Tile::kSide; ++i) {
    const int64_t u = int64_t{first_row + Sums<Tile>::frame() + i} * c.phases + phase - c.cut;
    if (u < 0 || u >= c.length) continue;
    float* y = c.y + (sequence * c.length + u) * c.outputs;
    const Vector<4>& values = sums.of_frames[i];
    if (vectors && o < c.outputs) {
      put_or_add(y + o, values, add);
    } else {
      for (int k = 0; k < 4; ++k) {
        if (o + k < c.outputs) put_or_add(y + o + k, Vector<1>{{values[k]}}, add);
      }
    }
  }
}

template <class Tile>
static void launch_tiles(const Context& ctx, const Convolution& c, Finish finish) {
  const int64_t rows = divide_up(int64_t{c.length} + c.cut, c.phases);
  const dim3 grid(static_cast<unsigned>(divide_up(rows, Tile::kFrames)),
                  static_cast<unsigned>(divide_up(c.outputs, Tile::kChannels)),
                  static_cast<unsigned>(c.sequences * c.phases));
  launch(convolution_kernel<Tile>, grid, Tile::kThreads, 0, stream_of(ctx), c, finish,
         fits_vectors(c.outputs, {c.y}));
}

bool fits_tiles(const Convolution& c) {
  return c.inputs % (c.bf16.w ? 8 : 4) == 0 &&
         fits_vectors(c.outputs, {c.y, c.x, c.w, c.b, c.activated, c.alpha});
}

void convolve(const Context& ctx, const Convolution& c, Finish finish) {
  const bool fits = fits_tiles(c), floats = ctx.precision == Precision::fp32 && !c.bf16.w;
  DSF_CHECK(c.bf16.w ? fits : !c.bf16.x && !c.bf16.activated,
            "a convolution of {} to {} channels that cannot be of bf16", c.inputs, c.outputs);
  if (ctx.convolutions == Convolutions::cudnn && convolve_through_cudnn(ctx, c, finish)) return;
  if (fits && !floats) {
    convolve_on_tensor_cores(ctx, c, finish);
    return;
  }
  if (fits && c.outputs > 8) {
    convolve_in_float_tiles(ctx, c, finish);
    return;
  }
  if (fits_one_channel(c)) {  // the codec's last layer
    convolve_to_one_channel(ctx, c, finish);
  } else if (c.outputs <= 8) {
    launch_tiles<Tile<128, 8>>(ctx, c, finish);
  } else {
    launch_tiles<Tile<64, 64>>(ctx, c, finish);
  }
  if (!c.activated) return;
  const Shape shape{c.sequences, c.length, c.outputs};
  cuda::snake_forward(ctx, Tensor(c.activated, shape), Tensor(c.y, shape),
                      ConstTensor(c.alpha, Shape{c.outputs}));
}

static constexpr int kPermuteThreads = 256;

__global__ static void permute_kernel(float* to, const float* from, int64_t size, int64_t middle,
                                      int64_t inner, int64_t outer_stride, int64_t middle_stride,
                                      int64_t inner_stride) {
  const int64_t at = int64_t{blockIdx.x} * kPermuteThreads + threadIdx.x;
  if (at >= size) return;
  const int64_t c = at % inner, b = at / inner % middle, a = at / inner / middle;
  to[at] = from[a * outer_stride + b * middle_stride + c * inner_stride];
}

void permute(const Context& ctx, Tensor to, ConstTensor from, std::array<int64_t, 3> strides) {
  launch(permute_kernel, divide_up(to.size(), kPermuteThreads), kPermuteThreads, 0, stream_of(ctx),
         to.data, from.data, to.size(), to.dim(1), to.dim(2), strides[0], strides[1], strides[2]);
}

}  // namespace dsf::cuda
