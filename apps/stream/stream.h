#pragma once
// dsf_infer --stream: sound without end, controlled while it is heard.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "apps/stream/audio_device.h"
#include "engine/live/live_stream.h"

namespace dsf {

struct StreamOptions {
  bool stream = false, play = false;
  std::string format = "wav";
  int64_t chunk_frames = 2;
  double buffer = kLiveBuffer;  // s, with --play
  std::optional<uint16_t> osc_port;
  std::filesystem::path midi;
};

/// Adds --stream and what goes with it. `files` are options that it excludes.
void add_stream_options(CLI::App& app, StreamOptions& options,
                        const std::vector<std::string>& files);

/// Streams until the duration that the request names, if any, the reader's end or `stop`. Says what
/// it took at the end. Standard output that is a terminal is a UsageError. `open` gives what --play
/// plays on.
void stream(const Context& ctx, const StreamOptions& options, LiveRequest request,
            const std::atomic<bool>& stop, const OpenAudio& open = open_audio_device);

}  // namespace dsf
