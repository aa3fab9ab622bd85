#include "apps/stream/stream.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "apps/app.h"
#include "apps/stream/audio_device.h"
#include "apps/stream/line_source.h"
#include "apps/stream/midi_source.h"
#include "apps/stream/osc_source.h"
#include "apps/stream/pcm_writer.h"
#include "apps/stream/reports.h"
#include "engine/files/atomic_file.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/live/live_stream.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kLongestMap = 1'000'000;  // bytes of a MIDI map

using Sources = std::vector<std::unique_ptr<ControlSource>>;

void check_duration(const LiveRequest& request) {
  constexpr double kLongest = 1e9;  // s
  const double duration = request.sound.duration.value_or(1);
  if (!(duration > 0 && duration <= kLongest)) {
    fail_usage("--duration {}: it must be above 0 and at most {} s", duration, kLongest);
  }
}

/// Samples of the duration that is asked for, counted as for files; none: without end.
std::optional<int64_t> wanted_samples(const LiveRequest& request, const CodeTiming& timing) {
  if (!request.sound.duration) return {};
  const double frames = *request.sound.duration * static_cast<double>(timing.frames_per_second());
  return std::max<int64_t>(1, std::llround(frames)) * timing.hop;
}

std::string text_of(const std::filesystem::path& file) {
  const std::vector<std::byte> bytes = read_file(file, kLongestMap);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Of parameters that leave what models are trained on.
std::vector<std::string> unusual(const ControlLine& line, const LiveModel& model) {
  const CheckpointInfo& info = model.model.info;
  Conditioning conditioning{1, std::ssize(model.begin), std::vector<float>(model.begin.size())};
  for (const ControlLine::Value& value : line.values) {
    conditioning.values[static_cast<size_t>(value.index)] = value.target;
  }
  return unusual_parameters(info.parameter_names, conditioning);
}

/// What was read before the model's loudness was measured.
using Map = std::optional<MidiMap>;

Sources open_sources(const StreamOptions& options, const Map& map, const LiveModel& model,
                     LiveControl& control) {
  const auto reports = std::make_shared<Reports>(
      [](const std::string& text) { spdlog::warn("{}", printable(text)); });
  ControlTarget target;
  target.names = model.names;
  target.apply = [&model, &control, reports](const ControlLine& line) {
    for (const std::string& warning : unusual(line, model)) reports->add(warning);
    if (!line.values.empty()) {
      control.set(line.values, model.frames(line.seconds), LiveControl::Clock::now());
    }
  };
  target.refuse = [reports](const std::string& why) { reports->add("ignored: " + why); };
  target.ended = [] { spdlog::info("standard input has ended: no more controls come from there"); };
  Sources sources;
  if (options.osc_port) sources.push_back(listen_to_osc(*options.osc_port, target));
  if (map) sources.push_back(listen_to_midi(*map, target));
  sources.push_back(read_control_lines(STDIN_FILENO, target));
  return sources;
}

void begin_message(const LiveModel& model, const StreamOptions& options) {
  std::vector<std::string> values;
  for (size_t i = 0; i < model.names.size(); ++i) {
    values.push_back(fmt::format("{}={}", model.names[i], model.begin[i]));
  }
  const std::string osc =
      options.osc_port ? fmt::format(", OSC at port {}", *options.osc_port) : "";
  spdlog::info("streaming at {} Hz; controls on standard input{}: {}", model.timing.sample_rate,
               osc, printable(fmt::format("{}", fmt::join(values, " "))));
}

void end_message(const LiveModel& model, const RenderTimes& times, const ControlLatency& latency,
                 int64_t chunk_frames, int64_t delivered, std::optional<int64_t> underruns) {
  const auto rate = static_cast<double>(model.timing.sample_rate);
  std::string text = fmt::format(
      "{:.1f} s of sound, rendered at {:.1f} × real time; the slowest chunk took {:.1f} ms, it "
      "sounds {:.1f}",
      static_cast<double>(delivered) / rate,
      times.seconds > 0 ? static_cast<double>(times.samples) / rate / times.seconds : 0,
      1e3 * times.worst, 1e3 * model.timing.seconds(chunk_frames));
  if (underruns) text += fmt::format("; {}", counted(*underruns, "underrun"));
  if (times.held > 0) {
    text += fmt::format("; {} under the controls before, as the model has no sound under those set",
                        counted(times.held, "frame"));
  }
  if (times.cut > 0) text += fmt::format("; {} above the ceiling", counted(times.cut, "sample"));
  if (latency.commands > 0) {
    text +=
        fmt::format("; commands in {}, in the samples after {:.0f} ms, {:.0f} at most",
                    counted(latency.commands, "chunk"), 1e3 * latency.mean(), 1e3 * latency.worst);
  }
  spdlog::info("{}", text);
}

/// To standard output, as fast as it is read.
void write_stream(LiveRenderer& renderer, const StreamOptions& options, const Map& map,
                  std::optional<int64_t> wanted, const std::atomic<bool>& stop) {
  const LiveModel& model = renderer.model();
  const Sources sources = open_sources(options, map, model, renderer.control());
  begin_message(model, options);
  PcmWriter writer(STDOUT_FILENO, parse_pcm_format(options.format), model.timing.sample_rate,
                   wanted);
  ControlLatency latency;
  int64_t written = 0;
  while (!wanted || written < *wanted) {
    std::span<const float> samples = renderer.render();
    if (wanted) {
      const int64_t left = *wanted - written;
      samples = samples.first(std::min(samples.size(), static_cast<size_t>(left)));
    }
    if (!writer.write(samples, stop)) break;
    written += std::ssize(samples);
    if (samples.empty()) continue;
    if (const auto seen = renderer.control().take_seen()) {
      const std::chrono::duration<double> elapsed = LiveControl::Clock::now() - *seen;
      latency.add(elapsed.count());
    }
  }
  writer.finish();
  end_message(model, renderer.times(), latency, options.chunk_frames, written, {});
}

/// To an audio output.
void play_stream(std::unique_ptr<LiveRenderer> renderer, const StreamOptions& options,
                 const Map& map, std::optional<int64_t> wanted, const OpenAudio& open,
                 const std::atomic<bool>& stop) {
  const auto rate = static_cast<double>(renderer->model().timing.sample_rate);
  LiveStream live(std::move(renderer), std::llround(options.buffer * rate));
  std::atomic<int64_t> played{0};
  bool vanished = false;
  {
    const auto output = open(live.model().timing.sample_rate, [&](std::span<float> block) {
      const int64_t before = played.load(std::memory_order_relaxed);
      const int64_t left = wanted ? std::max<int64_t>(*wanted - before, 0) : std::ssize(block);
      const size_t count = std::min(block.size(), static_cast<size_t>(left));
      std::ranges::fill(block.subspan(count), 0.0F);
      played.store(before + live.process(block.first(count)), std::memory_order_relaxed);
    });
    const Sources sources = open_sources(options, map, live.model(), live.control());
    begin_message(live.model(), options);
    spdlog::info("heard {:.0f} ms later, as the system says", 1e3 * output->latency());
    while (!stop && !vanished && live.error() == nullptr && (!wanted || played.load() < *wanted)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      vanished = !output->plays();
    }
    if (!stop && !vanished) output->drain();
  }
  live.stop();
  if (live.error() != nullptr) fail("{}", *live.error());
  if (vanished) fail("--play: the audio output has stopped");
  end_message(live.model(), live.times(), live.latency(), options.chunk_frames, played.load(),
              live.underruns());
}

}  // namespace

void add_stream_options(CLI::App& app, StreamOptions& options,
                        const std::vector<std::string>& files) {
  CLI::Option* stream = app.add_flag(
      "--stream", options.stream,
      "Sound without end (or --duration) to standard output, as fast as it is read; while it runs, "
      "lines on standard input move its classes and parameters: DSWind=1 param1=0.7 over 2s");
  for (const std::string& file : files) stream->excludes(app.get_option(file));
  CLI::Option* format = app.add_option("--stream-format", options.format,
                                       "wav, or s16 or f32: samples without a header")
                            ->capture_default_str()
                            ->needs(stream);
  CLI::Option* play = app.add_flag("--play", options.play, "To the system's audio output instead")
                          ->needs(stream)
                          ->excludes(format);
  app.add_option("--buffer", options.buffer, "Seconds that --play keeps ready")
      ->capture_default_str()
      ->check(real_from_to(0, 10))
      ->needs(play);
  app.add_option("--chunk", options.chunk_frames,
                 "Frames (of some 12 ms) that are drawn and decoded at once, 1 to 1024")
      ->capture_default_str()
      ->needs(stream);
  app.add_option("--osc", options.osc_port,
                 "Listen at this UDP port of this machine to OSC: /NAME VALUE [SECONDS]")
      ->type_name("PORT")
      ->check(CLI::Range(1, 65535))
      ->needs(stream);
  app.add_option("--midi", options.midi,
                 "Listen to MIDI as this file says (configs/midi/textures.yaml)")
      ->type_name("FILE")
      ->needs(stream);
}

void stream(const Context& ctx, const StreamOptions& options, LiveRequest request,
            const std::atomic<bool>& stop, const OpenAudio& open) {
  parse_pcm_format(options.format);
  check_chunk_frames(options.chunk_frames);
  if (!options.play && isatty(STDOUT_FILENO) != 0) {
    fail_usage(
        "standard output is a terminal, which cannot play sound: --play, or | aplay, or | ffplay "
        "-, "
        "or > FILE.wav");
  }
  check_duration(request);
  Map map;
  request.read = [&](const std::vector<std::string>& names, size_t classes) {
    if (options.midi.empty()) return;
    map.emplace(text_of(options.midi), options.midi.string(), names, classes);
  };
  LiveModel model = load_live_model(ctx, request, stop);
  if (stop) return;
  for (const std::string& warning : unusual_parameters(model.model.info.parameter_names,
                                                       {1, std::ssize(model.begin), model.begin})) {
    spdlog::warn("{}", printable(warning));
  }
  const std::optional<int64_t> wanted = wanted_samples(request, model.timing);
  auto renderer = std::make_unique<LiveRenderer>(std::move(model), options.chunk_frames);
  if (options.play) {
    play_stream(std::move(renderer), options, map, wanted, open, stop);
  } else {
    write_stream(*renderer, options, map, wanted, stop);
  }
}

}  // namespace dsf
