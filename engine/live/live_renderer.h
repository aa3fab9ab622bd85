#pragma once
// Sound as it is drawn: a model's next frames, decoded at once.
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/codec/stream_decoder.h"
#include "engine/generation/generator.h"
#include "engine/live/live_control.h"
#include "engine/live/live_model.h"
#include "kernels/common/parallel.h"

namespace dsf {

/// One thread or all: whichever keeps up. Small models take little more time on one, and far less
/// where others use the cores, as threads then wait for one that does not run.
class ThreadChoice {
 public:
  int threads() const { return all_ ? most_ : 1; }
  /// What a chunk took, in units of the time that it sounds.
  void add(double load);

 private:
  int most_ = num_threads();
  bool all_ = false;
  int64_t chunks_ = 0;                      // since the last choice
  double sum_ = 0;                          // of their loads
  std::array<double, 2> known_ = {-1, -1};  // means, with one and with all; below 0: not known
  int64_t age_ = 0;                         // choices since the other's was measured
  int64_t forgotten_ = 32;                  // choices after which it is measured again
};

inline constexpr int64_t kMostChunkFrames = 1024;
/// A UsageError for others than 1 to kMostChunkFrames.
void check_chunk_frames(int64_t frames);

/// What rendering took so far.
struct RenderTimes {
  int64_t chunks = 0, samples = 0;  // rendered
  int64_t cut = 0;                  // samples that exceeded the ceiling
  int64_t held = 0;                 // frames under which the model gave no numbers, drawn as before
  double seconds = 0,
         worst = 0;  // of all chunks, of the slowest but for the first, if there are others
};

/// Renders in the thread that calls it, without end and in constant memory.
class LiveRenderer {
 public:
  /// Draws and decodes `chunk_frames` frames at once: 1 to kMostChunkFrames, else a UsageError.
  LiveRenderer(LiveModel model, int64_t chunk_frames);
  LiveRenderer(const LiveRenderer&) = delete;  // parts of it refer to others
  LiveRenderer& operator=(const LiveRenderer&) = delete;

  const LiveModel& model() const { return model_; }
  /// Values are those of model().names; times are in frames.
  LiveControl& control() { return control_; }
  /// Samples of a chunk.
  int64_t chunk_samples() const { return chunk_frames_ * model_.timing.hop; }

  /// The samples of the next chunk, chunk_samples() of them but for the first chunks, which wait
  /// for what the codec looks ahead (perhaps none), within ±kLiveCeiling. Valid until the next
  /// call. A control changes codes from the chunk on that is drawn next, and with them samples from
  /// that chunk's first on. Where values are so far from what the model learned that it has no
  /// finite logits, those before them stay in force, if its class keeps nothing but codes and
  /// conditions from frame to frame (upstream's); else that is an Error.
  std::span<const float> render();

  const RenderTimes& times() const { return times_; }

 private:
  using Clock = std::chrono::steady_clock;

  void draw();
  ConstIndexTensor draw_frame();
  void decode();

  LiveModel model_;
  int64_t chunk_frames_;
  float gain_, ceiling_;  // factors
  LiveControl control_;
  std::vector<float> given_;   // with the last frame, to be in force for the next
  std::vector<float> heeded_;  // those before, which that frame was drawn under
  std::unique_ptr<FrameGenerator> generator_;
  StreamDecoder decoder_;
  ThreadChoice threads_;
  std::vector<int32_t> codes_;  // [N, chunk_frames]
  std::vector<float> samples_;
  RenderTimes times_;
};

}  // namespace dsf
