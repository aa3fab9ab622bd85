// Convolutions through cuDNN: w is laid as cuDNN takes it before, and what it does not do (bias,
// the sum with y, tanh, Snake) is done to its sums after.
#include "kernels/common/convolution_kernel_cuda.h"
#include "kernels/common/elements_cuda.h"
#include "kernels/common/stream_buffers.h"
#include "kernels/cudnn/convolution.h"

namespace dsf::cuda {

/// to[o, k, i] = w[k, i, o].
__global__ static void __launch_bounds__(kElementThreads)
    outputs_first_kernel(float* to, const float* w, int64_t size, int taps, int inputs,
                         int outputs) {
  const int64_t at = first_element<1>();
  if (at >= size) return;
  const int64_t i = at % inputs, k = at / inputs % taps, o = at / inputs / taps;
  to[at] = w[(k * inputs + i) * outputs + o];
}

/// Four of the sums to a thread.
__global__ static void __launch_bounds__(kElementThreads)
    finish_kernel(Convolution c, Finish finish, const float* sums, int64_t size) {
  const int64_t at = first_element<4>();
  if (at >= size) return;
  const Ending ending(c, finish, static_cast<int>(at % c.outputs));
  ending.finish_four(at, load<4>(sums + at), ending.old(at));
}

static cudnn::Convolution asked_of_cudnn(const Convolution& c) {
  cudnn::Convolution asked;
  asked.transposed = c.step < 0;
  asked.sequences = c.sequences;
  asked.frames = c.frames;
  asked.inputs = c.inputs;
  asked.length = c.length;
  asked.outputs = c.outputs;
  asked.kernel = c.kernel;
  asked.stride = asked.transposed ? c.phases : c.stride;
  asked.dilation = asked.transposed ? 1 : c.step;
  asked.padding = asked.transposed ? c.cut : -c.offset;
  return asked;
}

/// Two of a stream: w as cuDNN takes it, and sums that may not lie in y.
static StreamBuffers& weights_memory() {
  static auto* buffers = new StreamBuffers;  // outlives all that may still be queued
  return *buffers;
}
static StreamBuffers& sums_memory() {
  static auto* buffers = new StreamBuffers;
  return *buffers;
}

void release_cudnn_memory(void* stream) noexcept {
  weights_memory().release(stream);
  sums_memory().release(stream);
}

bool convolve_through_cudnn(const Context& ctx, const Convolution& c, Finish finish) {
  if (!cudnn::can_convolve || c.bf16.w || !fits_tiles(c)) return false;
  const cudnn::Convolution asked = asked_of_cudnn(c);
  if (!cudnn::can_convolve(ctx, asked)) return false;
  const float* w = c.w;
  if (!asked.transposed) {
    const int64_t size = int64_t{c.kernel} * c.inputs * c.outputs;
    auto* const laid =
        static_cast<float*>(weights_memory().of(ctx, static_cast<size_t>(size) * sizeof(float)));
    launch(outputs_first_kernel, element_blocks(size, false), kElementThreads, 0, stream_of(ctx),
           laid, c.w, size, c.kernel, c.inputs, c.outputs);
    w = laid;
  }
  const int64_t size = int64_t{c.sequences} * c.length * c.outputs;
  float* const sums =
      finish == Finish::add
          ? static_cast<float*>(sums_memory().of(ctx, static_cast<size_t>(size) * sizeof(float)))
          : c.y;
  cudnn::convolve(ctx, asked, sums, c.x, w);
  launch(finish_kernel, element_blocks(size, true), kElementThreads, 0, stream_of(ctx), c, finish,
         sums, size);
  return true;
}

}  // namespace dsf::cuda
