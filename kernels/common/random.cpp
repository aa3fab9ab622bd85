#include "kernels/common/random.h"

#include <algorithm>

namespace dsf {

DSF_MULTIVERSION static void whole_blocks(RandomStream stream, uint64_t first_block, int64_t blocks,
                                          uint32_t threshold, float scale, float* factors) {
  for (int64_t block = 0; block < blocks; ++block) {
    const auto words = random_words(stream, first_block + static_cast<uint64_t>(block));
    for (size_t lane = 0; lane < 4; ++lane) {
      factors[4 * block + static_cast<int64_t>(lane)] = words[lane] >= threshold ? scale : 0.0F;
    }
  }
}

void dropout_factors(const DropoutStream& dropout, uint64_t first, int64_t count, float* factors) {
  const uint32_t threshold = dropout.threshold();
  const float scale = dropout.scale();
  const auto partial = [&](uint64_t index, int64_t length) {  // a run inside one block of four
    const auto words = random_words(dropout.stream, index / 4);
    for (int64_t i = 0; i < length; ++i) {
      *factors++ = words[index % 4 + static_cast<size_t>(i)] >= threshold ? scale : 0.0F;
    }
  };
  const int64_t head = std::min<int64_t>(count, static_cast<int64_t>((4 - first % 4) % 4));
  if (head > 0) partial(first, head);
  const int64_t blocks = (count - head) / 4;
  const uint64_t aligned = first + static_cast<uint64_t>(head);
  whole_blocks(dropout.stream, aligned / 4, blocks, threshold, scale, factors);
  factors += 4 * blocks;
  const int64_t tail = count - head - 4 * blocks;
  if (tail > 0) partial(aligned + static_cast<uint64_t>(4 * blocks), tail);
}

}  // namespace dsf
