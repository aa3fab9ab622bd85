#pragma once
// Copies from global to shared memory that a warp has under way while it does something else.
//
// From Hopper on a copy is one instruction of one lane: the tensor memory accelerator does it and
// says so at a barrier in shared memory. Asynchronous copies of all lanes, which others do it with
// (and Hopper, where rows are no vectors), hold a warp up for as long as the copies before them
// wait for memory. Source: PTX ISA 9.0, "cp.async.bulk" and "mbarrier".
#include <cstdint>

#include "kernels/common/cuda.h"
#include "kernels/common/vector.h"

namespace dsf::cuda {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define DSF_BULK_COPIES 1
#else
#define DSF_BULK_COPIES 0
#endif

/// Shared memory that a warp's need: the places and a barrier for each, as floats.
constexpr int warp_copies_floats(int slots, int slot_floats) {
  return slots * slot_floats + (2 * slots + 3) / 4 * 4;
}

/// `slots` places of `slot_floats` floats, which copies go to in turn. All lanes of the warp call
/// all functions together.
template <int width, int slots, int slot_floats>
class WarpCopies {
 public:
  static constexpr int kFloats = warp_copies_floats(slots, slot_floats);

  /// `memory` is the warp's, kFloats, at a multiple of 16 bytes, as are places' sizes.
  __device__ explicit WarpCopies(float* memory)
      : places_(memory),
        barriers_(reinterpret_cast<uint64_t*>(memory + slots * slot_floats)),
        lane_(static_cast<int>(threadIdx.x) % kWarpSize) {
#if DSF_BULK_COPIES
    if constexpr (width == 4) {
      if (lane_ == 0) {
        for (int i = 0; i < slots; ++i) {
          asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(barriers_ + i))
                       : "memory");
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
      }
      __syncwarp();
    }
#endif
  }

  /// Begins to copy `count` ≥ 0 floats, a multiple of `width`, to the next place. What lay there
  /// must have been read.
  __device__ void request(const float* from, int count) {
    float* const to = places_ + requested_ * slot_floats;
    __syncwarp();  // all lanes have read it
#if DSF_BULK_COPIES
    if constexpr (width == 4) {
      if (lane_ == 0) {
        const uint32_t barrier = address(barriers_ + requested_);
        const uint32_t bytes = static_cast<uint32_t>(count) * sizeof(float);
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                     "r"(bytes)
                     : "memory");
        if (count > 0) {
          asm volatile(
              "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, "
              "[%3];" ::"r"(address(to)),
              "l"(from), "r"(bytes), "r"(barrier)
              : "memory");
        }
      }
    } else
#endif
    {
      for (int i = lane_ * width; i < count; i += kWarpSize * width) {
        __pipeline_memcpy_async(to + i, from + i, width * sizeof(float));
      }
      __pipeline_commit();
    }
    requested_ = next(requested_);
  }

  /// The place of the copy requested `slots` requests ago, when it is there.
  __device__ const float* take() {
    const float* const place = places_ + taken_ * slot_floats;
#if DSF_BULK_COPIES
    if constexpr (width == 4) {
      const uint32_t barrier = address(barriers_ + taken_);
      uint32_t done = 0;
      while (!done) {
        asm volatile(
            "{\n"
            ".reg .pred p;\n"
            "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
            "selp.u32 %0, 1, 0, p;\n"
            "}"
            : "=r"(done)
            : "r"(barrier), "r"(parity_)
            : "memory");
      }
    } else
#endif
    {
      __pipeline_wait_prior(slots - 1);
      __syncwarp();  // the other lanes' are there, too
    }
    taken_ = next(taken_);
    if (taken_ == 0) parity_ ^= 1;
    return place;
  }

 private:
  __device__ static int next(int slot) {
    return slot + 1 == slots ? 0 : slot + 1;
  }
#if DSF_BULK_COPIES
  __device__ static uint32_t address(const void* shared) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  }
#endif

  float* places_;
  uint64_t* barriers_;
  int lane_;
  int requested_ = 0, taken_ = 0;
  uint32_t parity_ = 0;
};

}  // namespace dsf::cuda
