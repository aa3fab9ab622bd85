#pragma once
// A ceiling for sample peaks, so that no integer format clips.
#include <span>

namespace dsf {

/// Scales all samples by one factor such that none exceeds `ceiling` dBFS. Returns the gain in dB,
/// 0 where nothing had to be done. An Error for samples that are not finite.
double limit_peak(std::span<float> samples, double ceiling);

}  // namespace dsf
