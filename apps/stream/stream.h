#pragma once
// dsf_infer --stream: sound without end, controlled while it is heard.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/live/live_model.h"

namespace dsf {

struct StreamOptions {
  bool stream = false, play = false;
  std::string format = "wav";
  int64_t chunk_frames = 2;
  double buffer = 0.05;  // s, with --play
  std::optional<uint16_t> osc_port;
  std::filesystem::path midi;
};

/// Adds --stream and what goes with it. `files` are options that it excludes.
void add_stream_options(CLI::App& app, StreamOptions& options,
                        const std::vector<std::string>& files);

/// Streams until the duration that the request names, if any, the reader's end or `stop`. Says what
/// it took at the end. Standard output that is a terminal is a UsageError.
void stream(const Context& ctx, const StreamOptions& options, const LiveRequest& request,
            const std::atomic<bool>& stop);

}  // namespace dsf
