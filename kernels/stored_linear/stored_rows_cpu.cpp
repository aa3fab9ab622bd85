// Weights come as words of four bytes, each of which holds one to four of them; x lies so that what
// the words' first numbers meet stands side by side, then what their second ones meet, and so on.
#include "kernels/stored_linear/stored_rows.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "kernels/common/multiversion.h"

namespace dsf::cpu {

static constexpr int64_t kWords = 32;    // of a row that are multiplied at once
static constexpr int64_t kRows = 2;      // of W at once
static constexpr int64_t kAhead = 8192;  // bytes by which memory is asked for what comes
static constexpr int64_t kLine = 64;     // bytes

/// Numbers in a word.
template <class Number>
static constexpr int64_t kPerWord = static_cast<int64_t>(sizeof(uint32_t) / sizeof(Number));
/// Numbers that kWords hold.
template <class Number>
static constexpr int64_t kBlock = kWords* kPerWord<Number>;

template <class Number>
static DSF_INLINE float number_in(uint32_t word, int64_t place);
template <>
DSF_INLINE float number_in<float>(uint32_t word, int64_t) {
  return std::bit_cast<float>(word);
}
template <>
DSF_INLINE float number_in<uint16_t>(uint32_t word, int64_t place) {
  return std::bit_cast<float>(place == 0 ? word << 16 : word & 0xFFFF0000U);
}
template <>
DSF_INLINE float number_in<int8_t>(uint32_t word, int64_t place) {
  return static_cast<float>(std::bit_cast<int32_t>(word << (24 - 8 * place)) >> 24);
}

namespace {

struct RowProduct {
  float* y;
  const float* x;           // [streams, inputs]
  const float* arranged;    // the same, whole blocks of each row in the order of words' numbers
  const float *scales, *b;  // of W's rows, or null
  int64_t inputs, outputs;
  bool relu;
};

}  // namespace

/// Whole blocks of rows of x, each [words, numbers of a word] transposed.
template <class Number>
static DSF_INLINE void arrange(float* to, const float* x, int64_t rows, int64_t inputs) {
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t i = 0; i + kBlock<Number> <= inputs; i += kBlock<Number>) {
      const float* const from = x + m * inputs + i;
      float* const block = to + m * inputs + i;
      for (int64_t place = 0; place < kPerWord<Number>; ++place) {
        for (int64_t j = 0; j < kWords; ++j) {
          block[place * kWords + j] = from[j * kPerWord<Number> + place];
        }
      }
    }
  }
}

/// `rows` rows of W from w times `streams` rows of x. A row's sums are the same whatever `rows` is.
template <int64_t streams, int64_t rows, class Number>
static DSF_INLINE void multiply_block(const RowProduct& p, const Number* w, int64_t first) {
  float sums[rows][streams][kWords] = {};
  int64_t i = 0;
  for (; i + kBlock<Number> <= p.inputs; i += kBlock<Number>) {
    for (int64_t r = 0; r < rows; ++r) {
      const Number* const at = w + r * p.inputs + i;
      uint32_t words[kWords];
      std::memcpy(words, at, sizeof words);
      for (int64_t byte = 0; byte < static_cast<int64_t>(sizeof words); byte += kLine) {
        __builtin_prefetch(reinterpret_cast<const char*>(at) + kAhead + byte);
      }
      for (int64_t place = 0; place < kPerWord<Number>; ++place) {
        for (int64_t m = 0; m < streams; ++m) {
          const float* const x = p.arranged + m * p.inputs + i + place * kWords;
          for (int64_t j = 0; j < kWords; ++j) {
            sums[r][m][j] += number_in<Number>(words[j], place) * x[j];
          }
        }
      }
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t o = first + r;
    const float scale = p.scales ? p.scales[o] : 1.0F, shift = p.b ? p.b[o] : 0.0F;
    for (int64_t m = 0; m < streams; ++m) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t j = 0; j < kWords; ++j) sum += sums[r][m][j];
      for (int64_t j = i; j < p.inputs; ++j) {
        sum += to_float(w[r * p.inputs + j]) * p.x[m * p.inputs + j];
      }
      const float value = sum * scale + shift;
      p.y[m * p.outputs + o] = p.relu && !(value > 0) ? 0 : value;
    }
  }
}

template <int64_t streams, class Number>
static DSF_INLINE void multiply_range(const RowProduct& p, const Number* w, int64_t begin,
                                      int64_t end) {
  int64_t o = begin;
  for (; o + kRows <= end; o += kRows) multiply_block<streams, kRows>(p, w + o * p.inputs, o);
  for (; o < end; ++o) multiply_block<streams, 1>(p, w + o * p.inputs, o);
}

template <class Number>
static DSF_INLINE void multiply(const RowProduct& p, const void* w, int64_t streams, int64_t begin,
                                int64_t end) {
  const auto* const numbers = static_cast<const Number*>(w);
  switch (streams) {
    case 1:
      return multiply_range<1>(p, numbers, begin, end);
    case 2:
      return multiply_range<2>(p, numbers, begin, end);
    case 3:
      return multiply_range<3>(p, numbers, begin, end);
    default:
      return multiply_range<kFewRows>(p, numbers, begin, end);
  }
}

DSF_MULTIVERSION static void multiply_fp32(const RowProduct& p, const void* w, int64_t streams,
                                           int64_t begin, int64_t end) {
  multiply<float>(p, w, streams, begin, end);
}
DSF_MULTIVERSION static void multiply_bf16(const RowProduct& p, const void* w, int64_t streams,
                                           int64_t begin, int64_t end) {
  multiply<uint16_t>(p, w, streams, begin, end);
}
DSF_MULTIVERSION static void multiply_int8(const RowProduct& p, const void* w, int64_t streams,
                                           int64_t begin, int64_t end) {
  multiply<int8_t>(p, w, streams, begin, end);
}
DSF_MULTIVERSION static void arrange_for_bf16(float* to, const float* x, int64_t rows,
                                              int64_t inputs) {
  arrange<uint16_t>(to, x, rows, inputs);
}
DSF_MULTIVERSION static void arrange_for_int8(float* to, const float* x, int64_t rows,
                                              int64_t inputs) {
  arrange<int8_t>(to, x, rows, inputs);
}

void multiply_rows(Tensor y, ConstTensor x, const WeightMatrix& w, const float* b,
                   Activation activation, int64_t begin, int64_t end) {
  RowProduct product{y.data, x.data, x.data, w.scales,
                     b,      w.cols, w.rows, activation == Activation::relu};
  if (w.format == WeightFormat::fp32) {
    return multiply_fp32(product, w.data, x.rows(), begin, end);
  }
  thread_local std::vector<float> arranged;  // grown to the widest product once
  arranged.resize(std::max(arranged.size(), static_cast<size_t>(x.size())));
  product.arranged = arranged.data();
  if (w.format == WeightFormat::bf16) {
    arrange_for_bf16(arranged.data(), x.data, x.rows(), x.cols());
    multiply_bf16(product, w.data, x.rows(), begin, end);
  } else {
    arrange_for_int8(arranged.data(), x.data, x.rows(), x.cols());
    multiply_int8(product, w.data, x.rows(), begin, end);
  }
}

}  // namespace dsf::cpu
