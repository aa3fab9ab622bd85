#include "engine/generation/loop.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/files/counted.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

// Below this a pair of takes cancels so much that making up for it would only raise noise.
constexpr double kLowestCorrelation = -0.5;

/// The largest change of any component from vector `a` to vector `b`.
float largest_step(const float* a, const float* b, int64_t size) {
  float largest = 0;
  for (int64_t k = 0; k < size; ++k) largest = std::max(largest, std::abs(b[k] - a[k]));
  return largest;
}

/// −1 … 1; 0 where one of them is silent.
double correlation(std::span<const float> a, std::span<const float> b) {
  double products = 0, power_a = 0, power_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    products += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    power_a += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    power_b += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  const double scale = std::sqrt(power_a) * std::sqrt(power_b);
  return scale > 0 ? std::clamp(products / scale, -1.0, 1.0) : 0;
}

void check_seam(const LoopPlan& plan, const LoopSeam& seam) {
  DSF_CHECK(seam.begin >= plan.run_up && seam.begin < plan.run_up + plan.choices,
            "seam at {}, choices {} from {}", seam.begin, plan.choices, plan.run_up);
}

}  // namespace

LoopPlan plan_loop(int64_t length, int64_t frames_per_second, int64_t lookback, int64_t before,
                   int64_t after) {
  const int64_t half_second = std::max<int64_t>(4, frames_per_second / 2);
  if (length < half_second) {
    fail_usage("--loop of {}: it must have at least {} (0.5 s)", counted(length, "frame"),
               half_second);
  }
  LoopPlan plan;
  plan.length = length;
  plan.fade = std::min(half_second, length / 4);
  plan.run_up = std::max(lookback, before);
  plan.choices = std::min(4 * frames_per_second, length);
  plan.drawn = plan.run_up + plan.choices - 1 + length + plan.fade + after;
  return plan;
}

int64_t make_periodic(Conditioning& conditioning, int64_t frames_per_second) {
  const int64_t frames = conditioning.frames, size = conditioning.size;
  if (frames < 2) return 0;
  float largest = 0;
  for (int64_t t = 1; t < frames; ++t) {
    largest =
        std::max(largest, largest_step(conditioning.frame(t - 1), conditioning.frame(t), size));
  }
  if (largest_step(conditioning.frame(frames - 1), conditioning.frame(0), size) <= largest) {
    return 0;
  }
  const int64_t blended = std::max<int64_t>(1, std::min(frames_per_second, frames / 4));
  for (int64_t i = 0; i < blended; ++i) {
    const float weight = static_cast<float>(i + 1) / static_cast<float>(blended + 1);
    float* values = conditioning.values.data() + (frames - blended + i) * size;
    for (int64_t k = 0; k < size; ++k) {
      values[k] += weight * (conditioning.values[static_cast<size_t>(k)] - values[k]);
    }
  }
  return blended;
}

Conditioning repeat(const Conditioning& period, int64_t frames) {
  Conditioning result{frames, period.size, {}};
  result.values.reserve(static_cast<size_t>(frames * period.size));
  for (int64_t t = 0; t < frames; ++t) {
    const float* vector = period.frame(t % period.frames);
    result.values.insert(result.values.end(), vector, vector + period.size);
  }
  return result;
}

LoopSeam find_seam(const DacFile& drawn, const LoopPlan& plan) {
  DSF_CHECK(drawn.frames == plan.drawn, "{} frames drawn, {} planned", drawn.frames, plan.drawn);
  const auto agrees = [&](int64_t codebook, int64_t frame) {
    const uint16_t* codes = drawn.codes.data() + codebook * drawn.frames;
    return codes[frame] == codes[frame + plan.length];
  };
  LoopSeam best{plan.run_up, -1};
  for (int64_t begin = plan.run_up; begin < plan.run_up + plan.choices; ++begin) {
    int64_t agreeing = 0;
    for (int64_t frame = begin; frame < begin + plan.fade; ++frame) {
      int64_t codebook = 0;
      while (codebook < drawn.n_codebooks && agrees(codebook, frame)) ++codebook;
      agreeing += codebook;
    }
    if (agreeing > best.agreeing) best = {begin, agreeing};
  }
  return best;
}

DacFile loop_codes(const DacFile& drawn, int64_t hop, const LoopPlan& plan, const LoopSeam& seam) {
  check_seam(plan, seam);
  DacFile loop = drawn;
  loop.frames = plan.length;
  loop.codes.resize(static_cast<size_t>(drawn.n_codebooks * plan.length));
  for (int64_t frame = seam.begin; frame < seam.begin + plan.length; ++frame) {
    const bool later = frame < seam.begin + plan.fade / 2;
    for (int64_t n = 0; n < drawn.n_codebooks; ++n) {
      loop.codes[static_cast<size_t>(n * plan.length + frame % plan.length)] =
          drawn.codes[static_cast<size_t>(n * drawn.frames + frame + (later ? plan.length : 0))];
    }
  }
  loop.metadata.original_length -= (drawn.frames - plan.length) * hop;
  loop.metadata.chunk_length = plan.length;
  return loop;
}

std::vector<float> loop_audio(std::span<const float> drawn, int64_t hop, const LoopPlan& plan,
                              const LoopSeam& seam) {
  check_seam(plan, seam);
  const int64_t length = plan.length * hop, fade = plan.fade * hop, begin = seam.begin * hop;
  DSF_CHECK(begin + length + fade <= static_cast<int64_t>(drawn.size()),
            "{} samples, the loop's end is fetched from {}", drawn.size(), begin + length + fade);
  std::vector<float> loop(static_cast<size_t>(length));
  for (int64_t i = 0; i < length; ++i) {
    loop[static_cast<size_t>((begin + i) % length)] = drawn[static_cast<size_t>(begin + i)];
  }
  const auto first = drawn.subspan(static_cast<size_t>(begin), static_cast<size_t>(fade));
  const auto later = drawn.subspan(static_cast<size_t>(begin + length), first.size());
  const double alike = std::max(kLowestCorrelation, correlation(first, later));
  for (size_t i = 0; i < first.size(); ++i) {
    const double angle =
        std::numbers::pi / 2 * (static_cast<double>(i) + 0.5) / static_cast<double>(fade);
    const double rising = std::sin(angle), falling = std::cos(angle);
    const double sum =
        rising * static_cast<double>(first[i]) + falling * static_cast<double>(later[i]);
    loop[(static_cast<size_t>(begin) + i) % loop.size()] =
        static_cast<float>(sum / std::sqrt(1 + 2 * alike * rising * falling));
  }
  return loop;
}

}  // namespace dsf
