// A block to a row. The largest logits are taken in chunks: a search, bit by bit, finds how far
// down a chunk reaches; what lies above is gathered and sorted; then one thread adds up the
// weights, one after another as the CPU does, so that the same token is drawn. Of the usual hundred
// or so of a thousand logits that is one chunk; the kernel takes rows and top_n of any size. Its
// time is that of some hundred barriers: of few warps, which have the row in registers.
#include "kernels/common/counter_cuda.h"
#include "kernels/common/launch.h"
#include "kernels/sample_top_n/sample_top_n.h"

namespace dsf::cuda {

namespace {

constexpr int kMaxThreads = 256, kChunk = 1024;

/// A logit and its place in the row as a number: larger is earlier in the op's order. All of a row
/// differ, and none is 0.
using Word = uint64_t;

__device__ Word to_word(float logit, int index) {
  const uint32_t bits = __float_as_uint(logit + 0.0F);  // −0 becomes 0, which it equals
  const uint32_t key = bits ^ (bits >> 31 ? 0xFFFFFFFFU : 0x80000000U);
  return Word{key} << 32 | ~static_cast<uint32_t>(index);
}
__device__ float logit_of(Word word) {
  const auto key = static_cast<uint32_t>(word >> 32);
  return __uint_as_float(key ^ (key >> 31 ? 0x80000000U : 0xFFFFFFFFU));
}
__device__ int32_t index_of(Word word) {
  return static_cast<int32_t>(~static_cast<uint32_t>(word));
}

/// The words of a row that lie in [lowest, below).
struct Range {
  Word lowest, below;
  __device__ bool contains(Word word) const { return word >= lowest && word < below; }
};

// In what follows all threads of the block call, and all get the result.

struct Row {
  static constexpr int kHeld = 4;  // words of a thread in registers, its first ones

  const float* logits;
  int size;
  Word held[kHeld];  // 0, which no range contains, behind the row's end

  __device__ Row(const float* row, int count) : logits(row), size(count) {
    for (int k = 0; k < kHeld; ++k) {
      const int i = place(k);
      held[k] = i < size ? word(i) : 0;
    }
  }
  __device__ Word word(int i) const { return to_word(logits[i], i); }
  /// Where the thread's word number k is in the row.
  __device__ static int place(int k) {
    return static_cast<int>(threadIdx.x) + k * static_cast<int>(blockDim.x);
  }
  /// Calls visit(word) for each word of this thread.
  template <class Visit>
  __device__ void visit(const Visit& visit) const {
    for (const Word word : held) visit(word);
    for (int i = place(kHeld); i < size; i += static_cast<int>(blockDim.x)) visit(word(i));
  }
  __device__ bool finite() const {
    bool all = true;
    visit([&](Word word) { all = all && (word == 0 || fabsf(logit_of(word)) < INFINITY); });
    return __syncthreads_count(!all) == 0;
  }
  __device__ int count(const Range& range) const {
    int found = 0;
    for (const Word word : held) found += __syncthreads_count(range.contains(word));
    const int in_registers = kHeld * static_cast<int>(blockDim.x);
    for (int first = in_registers; first < size; first += static_cast<int>(blockDim.x)) {
      const int i = first + static_cast<int>(threadIdx.x);
      found += __syncthreads_count(i < size && range.contains(word(i)));
    }
    return found;
  }
  /// The range below `below` that holds `wanted` words.
  __device__ Range largest(int wanted, Word below) const {
    Word lowest = 0;
    for (Word bit = Word{1} << 63; bit != 0; bit >>= 1) {
      const int found = count({lowest | bit, below});
      if (found >= wanted) lowest |= bit;
      if (found == wanted) break;
    }
    return {lowest, below};
  }
};

/// Bitonic: a power of two of words, into falling order.
__device__ void sort(Word* words, int count) {
  for (int run = 2; run <= count; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      if (distance >= kWarpSize) {
        __syncthreads();
      } else {
        __syncwarp();  // a warp's pairs lie among 64 words that are its own
      }
      for (int i = static_cast<int>(threadIdx.x); i < count / 2;
           i += static_cast<int>(blockDim.x)) {
        const int a = 2 * i - (i & (distance - 1)), b = a + distance;
        const Word first = words[a], second = words[b];
        const bool falling = (a & run) == 0;
        if (falling != (first < second)) continue;
        words[a] = second;
        words[b] = first;
      }
    }
  }
  __syncthreads();
}

/// The kept words of a row in falling order, a chunk at a time.
struct Sorted {
  const Row& row;
  double temperature, min_p;
  Word* words;                 // [kChunk], of the block, as are
  double* sums;                // [kChunk] the running sums of the weights of `words`
  int* gathered;               // [1]
  int left;                    // kept words that follow the chunk
  int size = 0;                // of the chunk
  double before = 0, sum = 0;  // the running sums at the chunk's ends
  Word below = ~Word{0};
  double maximum = 0;

  __device__ void restart(int kept) {
    left = kept;
    size = 0;
    sum = 0;
    below = ~Word{0};
  }

  __device__ void next() {
    const bool first = size == 0;
    size = left < kChunk ? left : kChunk;
    left -= size;
    gather(row.largest(size, below));
    if (first) maximum = static_cast<double>(logit_of(words[0]));
    before = sum;
    for (int i = static_cast<int>(threadIdx.x); i < size; i += static_cast<int>(blockDim.x)) {
      const double distance = static_cast<double>(logit_of(words[i])) - maximum;
      const double weight = exp(distance / temperature);
      sums[i] = weight < min_p ? 0 : weight;
    }
    __syncthreads();
    if (threadIdx.x == 0) add_up();
    __syncthreads();
    sum = sums[size - 1];
    below = words[size - 1];
  }

  /// Makes weights running sums, one after another; several are fetched at a time.
  __device__ void add_up() {
    constexpr int at_once = 8;
    double running = before;
    for (int first = 0; first < size; first += at_once) {
      double weights[at_once];
      for (int i = 0; i < at_once; ++i) weights[i] = first + i < size ? sums[first + i] : 0;
      for (int i = 0; i < at_once; ++i) {
        running += weights[i];
        if (first + i < size) sums[first + i] = running;
      }
    }
  }

  /// Puts the words of `range` into `words`, in falling order.
  __device__ void gather(const Range& range) {
    int padded = 1;
    while (padded < size) padded *= 2;
    // largest() had a barrier: what was in the chunk before has been read.
    for (int i = static_cast<int>(threadIdx.x); i < padded; i += static_cast<int>(blockDim.x)) {
      words[i] = 0;
    }
    if (threadIdx.x == 0) *gathered = 0;
    __syncthreads();
    row.visit([&](Word word) {
      if (range.contains(word)) words[atomicAdd(gathered, 1)] = word;
    });
    __syncthreads();
    sort(words, padded);
  }
};

}  // namespace

__global__ static void __launch_bounds__(kMaxThreads, 1)
    sample_kernel(int32_t* tokens, const float* logits, int size, int kept, double temperature,
                  double min_p, SampleStreams streams, unsigned rows_per_stream) {
  DSF_SHARED(Word, words, kChunk);
  DSF_SHARED(double, sums, kChunk);
  DSF_SHARED(int, gathered, 1);
  const Row row(logits + int64_t{blockIdx.x} * size, size);
  int32_t* token = tokens + blockIdx.x;
  // Asked for here, these have come when they are needed.
  const RandomStream stream{seed_at(streams.seeds.data, blockIdx.x / rows_per_stream),
                            streams.purpose, static_cast<uint32_t>(value_of(streams.step))};
  if (!row.finite()) {
    if (threadIdx.x == 0) *token = -1;
    return;
  }

  Sorted sorted{row, temperature, min_p, words, sums, gathered, kept};
  while (sorted.left > 0) sorted.next();
  const uint64_t row_of_stream = blockIdx.x % rows_per_stream;
  const auto u = static_cast<double>(to_unit(random_block(stream, row_of_stream)[0]));
  const double threshold = u * sorted.sum;

  if (kept > kChunk) {  // from the first chunk again
    sorted.restart(kept);
    sorted.next();
  }
  while (sorted.sum <= threshold && sorted.left > 0) sorted.next();
  for (int i = static_cast<int>(threadIdx.x); i < sorted.size; i += static_cast<int>(blockDim.x)) {
    const double before = i == 0 ? sorted.before : sums[i - 1];
    // One is: u is 2⁻²⁴ below 1 at least, so u·sum lies below the whole sum.
    if (before <= threshold && sums[i] > threshold) *token = index_of(words[i]);
  }
}

void sample_top_n(const Context& ctx, IndexTensor tokens, ConstTensor logits,
                  const SampleSettings& settings, const SampleStreams& streams) {
  const int64_t size = logits.cols();
  const int64_t kept = settings.top_n < size ? settings.top_n : size;
  const int64_t warps = divide_up(size, kWarpSize);
  const int64_t threads = warps * kWarpSize < kMaxThreads ? warps * kWarpSize : kMaxThreads;
  launch(sample_kernel, logits.rows(), static_cast<unsigned>(threads), 0, stream_of(ctx),
         tokens.data, logits.data, static_cast<int>(size), static_cast<int>(kept),
         static_cast<double>(settings.temperature), static_cast<double>(settings.min_p), streams,
         static_cast<unsigned>(logits.rows() / streams.seeds.rows()));
}

}  // namespace dsf::cuda
