#pragma once
// Elementary functions that compilers vectorize: branch-free, inlined, accurate to a few units in
// the last place of float. The C library's are as exact but are called element by element.
#include <bit>
#include <cstdint>

#include "kernels/common/multiversion.h"

namespace dsf {

/// e^x for x ≤ 88; relative error below 2e-7 (tests/vector_math_test.cpp); 0 below −87.3; NaN of
/// NaN.
DSF_INLINE float fast_exp(float x) {
  const float clamped = x < -87.3F ? -87.3F : (x > 88.0F ? 88.0F : x);
  // x = n·ln2 + r, |r| ≤ ln2/2; ln2 in two parts so that r keeps its low bits.
  const float shifted = clamped * 1.44269504F + 12582912.0F;  // 1.5·2^23: rounds to an integer
  const float n = shifted - 12582912.0F;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  // 2^n from the bits of `shifted`, whose lowest are n and whose others leave on the left. A
  // conversion of n would be undefined for NaN; here power is anything, and p is NaN.
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + 127U) << 23);
  return x < -87.3F ? 0.0F : p * power;
}

/// sin²(x); absolute error below 3e-7 for |x| ≤ 1e4 (tests/vector_math_test.cpp).
DSF_ALSO_ON_GPU DSF_INLINE float fast_sin_squared(float x) {
  // sin² has period π: x = n·π + r, |r| ≤ π/2; π in three parts so that r keeps its low bits.
  const float n = (x * 0.318309886F + 12582912.0F) - 12582912.0F;
  const float r = ((x - n * 3.140625F) - n * 9.67502593994140625e-4F) - n * 1.50995799e-7F;
  const float s = r * r;
  float p = -2.3868346e-8F;
  p = p * s + 2.7523971e-6F;
  p = p * s - 1.9840782e-4F;
  p = p * s + 8.3333310e-3F;
  p = p * s - 1.6666667e-1F;
  const float sine = p * s * r + r;
  return sine * sine;
}

}  // namespace dsf
