#include "tests/simt/tensor_cores.h"

#include <bit>
#include <cmath>

#include "tests/simt/cuda_half.h"

namespace dsf::simt {
namespace {

constexpr unsigned kLanes = 32, kRows = 16, kColumns = 8;

/// What a lane brings.
struct Operands {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

/// D += A·B, where lanes hold the elements as PTX ISA, "Matrix Fragments for mma.m16n8k8" and
/// "…m16n8k16", says: a register holds kPacked neighbours of a row of A or of a column of B. The
/// products and their sum are exact here, and rounded once.
template <unsigned kPacked, class Unpack>
void combine(void* const* values, const Unpack& unpack) {
  constexpr unsigned kDepth = 8 * kPacked;
  float a[kRows][kDepth], b[kDepth][kColumns];
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const Operands& of = *static_cast<const Operands*>(values[lane]);
    const unsigned group = lane / 4, depth = lane % 4 * kPacked;
    for (unsigned i = 0; i < 4; ++i) {
      for (unsigned part = 0; part < kPacked; ++part) {
        const unsigned k = depth + i / 2 * (kDepth / 2) + part;
        a[group + i % 2 * 8][k] = unpack(of.a[i], part);
        if (i < 2) b[depth + i * (kDepth / 2) + part][group] = unpack(of.b[i], part);
      }
    }
  }
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    const Operands& of = *static_cast<const Operands*>(values[lane]);
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      double sum = of.d[i];
      for (unsigned k = 0; k < kDepth; ++k) sum += double{a[row][k]} * double{b[k][column]};
      of.d[i] = static_cast<float>(sum);
    }
  }
}

void combine_tf32(void* const* values) {
  // The bits that TF32 has not are not looked at.
  combine<1>(values, [](uint32_t bits, unsigned) { return std::bit_cast<float>(bits & ~0x1FFFU); });
}

void combine_bf16(void* const* values) {
  combine<2>(values, [](uint32_t bits, unsigned part) {
    return from_bf16_bits(static_cast<uint16_t>(bits >> (16 * part)));
  });
}

void mma(const char* what, void (*combine)(void* const*), Operands operands, CodeLine site) {
  exchange(
      {.what = what, .mask = 0xFFFFFFFFU, .source = lane(), .value = &operands, .combine = combine},
      site);
}

}  // namespace

uint32_t round_to_tf32(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::isfinite(x) ? (bits + 0x1000U) & ~0x1FFFU : bits;
}

void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], CodeLine site) {
  mma("mma_tf32", combine_tf32, {d, a, b}, site);
}

void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], CodeLine site) {
  mma("mma_bf16", combine_bf16, {d, a, b}, site);
}

}  // namespace dsf::simt
