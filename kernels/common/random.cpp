#include "kernels/common/random.h"

#include <algorithm>

#if defined(DSF_HAS_MULTIVERSION)
#if __GNUC__ < 13
// It warns of its own intrinsics, which begin with a vector of anything (GCC's bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

namespace dsf {

/// The factors of elements first … first+count−1: `scale` where a word reaches `threshold`, else 0.
static DSF_INLINE void write_plainly(const RandomStream& stream, uint64_t first, int64_t count,
                                     uint32_t threshold, float scale, float* factors) {
  const auto part_of_block = [&](uint64_t index, int64_t length) {
    const auto words = random_words(stream, index / 4);
    for (int64_t i = 0; i < length; ++i) {
      *factors++ = words[index % 4 + static_cast<size_t>(i)] >= threshold ? scale : 0.0F;
    }
  };
  const int64_t head = std::min<int64_t>(count, static_cast<int64_t>((4 - first % 4) % 4));
  if (head > 0) part_of_block(first, head);
  const uint64_t aligned = first + static_cast<uint64_t>(head);
  const int64_t blocks = (count - head) / 4;
  for (int64_t block = 0; block < blocks; ++block) {
    const auto words = random_words(stream, aligned / 4 + static_cast<uint64_t>(block));
    for (size_t lane = 0; lane < 4; ++lane) {
      factors[4 * block + static_cast<int64_t>(lane)] = words[lane] >= threshold ? scale : 0.0F;
    }
  }
  factors += 4 * blocks;
  const int64_t tail = count - head - 4 * blocks;
  if (tail > 0) part_of_block(aligned + static_cast<uint64_t>(4 * blocks), tail);
}

#if defined(DSF_HAS_MULTIVERSION)

// Written with intrinsics: compilers do not find the instruction that multiplies the lower halves
// of 64-bit lanes, of which Philox consists, and are 2.6 times as slow.
namespace {

/// Eight blocks at once: word w of block i is the lower half of lane i of word[w].
struct EightBlocks {
  __m512i word[4];
};

#define DSF_AVX512 __attribute__((target("arch=x86-64-v4")))

DSF_AVX512 DSF_INLINE __m512i upper_halves(__m512i lanes) {
  return _mm512_shuffle_epi32(lanes, static_cast<_MM_PERM_ENUM>(0xF5));
}

DSF_AVX512 DSF_INLINE __m512i exclusive_or(__m512i a, __m512i b, uint32_t key) {
  return _mm512_ternarylogic_epi64(a, b, _mm512_set1_epi64(key), 0x96);
}

/// Philox4x32-10, as random_block.
DSF_AVX512 DSF_INLINE EightBlocks eight_blocks(const RandomStream& stream, uint64_t first) {
  const __m512i index = _mm512_add_epi64(_mm512_set1_epi64(static_cast<int64_t>(first)),
                                         _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
  __m512i w0 = index, w1 = _mm512_srli_epi64(index, 32);
  __m512i w2 = _mm512_set1_epi64(stream.step), w3 = _mm512_set1_epi64(stream.purpose);
  auto key = static_cast<uint32_t>(stream.seed);
  auto other_key = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const __m512i a = _mm512_mul_epu32(_mm512_set1_epi64(PHILOX_M4x32_0), w0);
    const __m512i b = _mm512_mul_epu32(_mm512_set1_epi64(PHILOX_M4x32_1), w2);
    w0 = exclusive_or(upper_halves(b), w1, key);
    w1 = b;
    w2 = exclusive_or(upper_halves(a), w3, other_key);
    w3 = a;
    key += PHILOX_W32_0;
    other_key += PHILOX_W32_1;
  }
  return {{w0, w1, w2, w3}};
}

/// The 16 words of blocks begin … begin+3 of the eight, in order.
DSF_AVX512 DSF_INLINE __m512i words_of_four(const EightBlocks& blocks, int64_t begin) {
  constexpr auto kLowerUp = static_cast<_MM_PERM_ENUM>(0xA0);
  const auto& word = blocks.word;
  const __m512i first_two = _mm512_mask_shuffle_epi32(word[0], 0xAAAA, word[1], kLowerUp);
  const __m512i last_two = _mm512_mask_shuffle_epi32(word[2], 0xAAAA, word[3], kLowerUp);
  const __m512i lanes = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  return _mm512_permutex2var_epi64(first_two, _mm512_add_epi64(lanes, _mm512_set1_epi64(begin)),
                                   last_two);
}

}  // namespace

DSF_AVX512 static void write_factors(const RandomStream& stream, uint64_t first, int64_t count,
                                     uint32_t threshold, float scale, float* factors) {
  const __m512i least = _mm512_set1_epi32(static_cast<int32_t>(threshold));
  const auto lead = static_cast<int64_t>(first % 4);  // of the first block before `first`
  for (int64_t at = -lead; at < count; at += 32) {
    const EightBlocks blocks = eight_blocks(stream, (first + static_cast<uint64_t>(at + lead)) / 4);
    for (const int64_t half : {0, 1}) {
      const int64_t to = at + 16 * half;
      const __m512 values = _mm512_maskz_mov_ps(
          _mm512_cmpge_epu32_mask(words_of_four(blocks, 4 * half), least), _mm512_set1_ps(scale));
      if (to >= 0 && to + 16 <= count) {
        _mm512_storeu_ps(factors + to, values);
        continue;
      }
      if (to >= count) break;
      // The lanes of the range, moved to its begin where that is amid the vector.
      const auto from = static_cast<unsigned>(std::max<int64_t>(-to, 0));
      const auto end = static_cast<unsigned>(std::min<int64_t>(count - to, 16));
      const auto wanted = static_cast<__mmask16>((1U << end) - (1U << from));
      const auto stored = static_cast<__mmask16>((1U << (end - from)) - 1);
      _mm512_mask_storeu_ps(factors + std::max<int64_t>(to, 0), stored,
                            _mm512_maskz_compress_ps(wanted, values));
    }
  }
}

// For processors without AVX-512; which of the three runs is chosen when the program starts.
__attribute__((target("default"))) static void write_factors(const RandomStream& stream,
                                                             uint64_t first, int64_t count,
                                                             uint32_t threshold, float scale,
                                                             float* factors) {
  write_plainly(stream, first, count, threshold, scale, factors);
}
__attribute__((target("arch=x86-64-v3"))) static void write_factors(const RandomStream& stream,
                                                                    uint64_t first, int64_t count,
                                                                    uint32_t threshold, float scale,
                                                                    float* factors) {
  write_plainly(stream, first, count, threshold, scale, factors);
}

#else

static void write_factors(const RandomStream& stream, uint64_t first, int64_t count,
                          uint32_t threshold, float scale, float* factors) {
  write_plainly(stream, first, count, threshold, scale, factors);
}

#endif

void dropout_factors(const DropoutStream& dropout, uint64_t first, int64_t count, float* factors) {
  write_factors(dropout.stream, first, count, dropout.threshold(), dropout.scale(), factors);
}

}  // namespace dsf
