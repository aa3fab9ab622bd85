#pragma once
// How loud a live stream is: one gain for all of it, which nothing later can change.
#include <atomic>
#include <filesystem>
#include <functional>

#include "engine/codec/codec.h"
#include "engine/training/checkpoint.h"

namespace dsf {

/// The largest magnitude of a live sample, dBFS: what exceeds it is cut.
inline constexpr double kLiveCeiling = -1;

/// The gain in dB that brings eight seconds of the model's sound, all classes in turn, to
/// the loudness of what is generated into files (kGeneratedLoudness), or as near to it as their
/// peaks stay below kLiveCeiling: loudness first, then peaks, as for files. 0 for silence. The same
/// for the same model and codec.
double measure_live_gain(TrainedModel& model, const Codec& codec, const std::atomic<bool>& stop);

/// The same, measured once: kept in a file of the user's cache folder ($XDG_CACHE_HOME/dsf, else
/// ~/.cache/dsf), named by what both files hold. Where that cannot be kept, it is measured again.
/// `measuring`, if any, is called before it is. Where `stop` ends it, 0, which is not kept.
double live_gain(TrainedModel& model, const std::filesystem::path& model_file, const Codec& codec,
                 const std::filesystem::path& codec_file, const std::function<void()>& measuring,
                 const std::atomic<bool>& stop);

}  // namespace dsf
