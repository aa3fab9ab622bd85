// A live stream played in real time: underruns, memory, load, and how soon a control is heard.
//   live_bench [--seconds S] [--chunk FRAMES] [--buffer S] [--block SAMPLES] [--model M] [--codec
//   C]
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include "apps/app.h"
#include "engine/live/live_stream.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Request {
  dsf::LiveRequest live;
  double seconds = 60, buffer = dsf::kLiveBuffer;
  int64_t chunk = 2, block = 256;
};

std::unique_ptr<dsf::LiveStream> open(const Request& request) {
  const std::atomic<bool> never{false};
  auto renderer = std::make_unique<dsf::LiveRenderer>(dsf::load_live_model({}, request.live, never),
                                                      request.chunk);
  const auto rate = static_cast<double>(renderer->model().timing.sample_rate);
  return std::make_unique<dsf::LiveStream>(std::move(renderer),
                                           std::llround(request.buffer * rate));
}

/// Takes blocks when an audio output would: each when the one before has sounded.
class Player {
 public:
  Player(dsf::LiveStream& stream, const Request& request)
      : stream_(stream),
        period_(static_cast<double>(request.block) /
                static_cast<double>(stream.model().timing.sample_rate)),
        block_(static_cast<size_t>(request.block)) {
    while (stream.process({block_.data(), 1}) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    begin_ = Clock::now();
  }

  /// The next block, at its time.
  std::span<const float> take() {
    std::this_thread::sleep_until(begin_ + std::chrono::duration_cast<Clock::duration>(
                                               period_ * static_cast<double>(++taken_)));
    stream_.process(block_);
    return block_;
  }
  double played() const { return static_cast<double>(taken_) * period_.count(); }

 private:
  dsf::LiveStream& stream_;
  std::chrono::duration<double> period_;
  std::vector<float> block_;
  Clock::time_point begin_;
  int64_t taken_ = 0;
};

double resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * 4096 / 1e6;
}
double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Plays for some time; a line for each tenth of it. Every second a control is moved.
void endure(const Request& request) {
  const Clock::time_point begin = Clock::now();
  const std::unique_ptr<dsf::LiveStream> stream = open(request);
  Player player(*stream, request);
  fmt::print("model read and first sample there after {:.3f} s\n\n", seconds_since(begin));
  fmt::print(
      "| played, s | underruns | resident, MB | processor, % of a core |\n|---|---|---|---|\n");
  double last_processor = processor_seconds();
  int64_t moves = 0;
  for (int part = 1; part <= 10; ++part) {
    const double end = request.seconds * part / 10, from = player.played();
    while (player.played() < end) {
      player.take();
      if (player.played() < static_cast<double>(moves + 1)) continue;
      const auto control = static_cast<int64_t>(stream->model().names.size()) - 1;
      const dsf::ControlLine::Value one[] = {{control, static_cast<float>(++moves % 5) / 4}};
      stream->control().set(one, 0, Clock::now());
    }
    const double now = processor_seconds();
    fmt::print("| {:.0f} | {} | {:.1f} | {:.1f} |\n", player.played(), stream->underruns(),
               resident_megabytes(), 100 * (now - last_processor) / (player.played() - from));
    std::fflush(stdout);
    last_processor = now;
  }
  stream->stop();
  const dsf::RenderTimes& times = stream->times();
  const dsf::LiveModel& model = stream->model();
  const double sound =
      static_cast<double>(times.samples) / static_cast<double>(model.timing.sample_rate);
  fmt::print(
      "\nrendered at {:.1f} × real time, slowest chunk {:.1f} ms of {:.1f}; {} samples cut\n",
      sound / times.seconds, 1e3 * times.worst, 1e3 * model.timing.seconds(request.chunk),
      times.cut);
  const dsf::ControlLatency& latency = stream->latency();
  fmt::print("{} controls: their first sample due after {:.0f} ms, {:.0f} at most\n",
             latency.commands, 1e3 * latency.mean(), 1e3 * latency.worst);
}

/// Seconds from a command, `delay` s into the stream, until the first sample is taken that differs
/// from the stream without it.
double first_change(const Request& request, double delay, const std::vector<float>& undisturbed) {
  const std::unique_ptr<dsf::LiveStream> stream = open(request);
  Player player(*stream, request);
  while (player.played() < delay) player.take();
  size_t at = 1 + static_cast<size_t>(std::llround(
                      player.played() * static_cast<double>(stream->model().timing.sample_rate)));
  const Clock::time_point told = Clock::now();
  std::vector<dsf::ControlLine::Value> others;
  for (const float now : stream->model().begin) {
    others.push_back({std::ssize(others), now > 0.5F ? 0.0F : 1.0F});
  }
  stream->control().set(others, 0);
  for (;; at += static_cast<size_t>(request.block)) {
    const std::span<const float> block = player.take();
    // What is silent for an underrun differs, too.
    if (at + block.size() > undisturbed.size() || stream->underruns() > 0) return INFINITY;
    const auto place = undisturbed.begin() + static_cast<std::ptrdiff_t>(at);
    if (!std::equal(block.begin(), block.end(), place)) return seconds_since(told);
  }
}

void measure_changes(const Request& request) {
  constexpr int kTrials = 11;
  std::vector<float> undisturbed(3 * 44'100);
  open(request)->pull(undisturbed);
  std::vector<double> times;
  for (int i = 0; i < kTrials; ++i) {
    times.push_back(first_change(request, 0.5 + 0.037 * i, undisturbed));
  }
  std::ranges::sort(times);
  fmt::print("command to first changed sample played, {} times: median {:.0f} ms, at most {:.0f}\n",
             kTrials, 1e3 * times[kTrials / 2], 1e3 * times.back());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A live stream in real time.", "live_bench");
  Request request;
  dsf::CommonOptions common;
  app.add_option("--seconds", request.seconds, "To play")->capture_default_str();
  app.add_option("--chunk", request.chunk, "Frames drawn at once")->capture_default_str();
  app.add_option("--buffer", request.buffer, "Seconds kept ready")->capture_default_str();
  app.add_option("--block", request.block, "Samples played at once")->capture_default_str();
  app.add_option("--model", request.live.model, "Default: the one that comes with dsf");
  app.add_option("--codec", request.live.codec, "Default: the model's");
  dsf::add_common_options(app, common, "  live_bench --seconds 3600");
  return dsf::run_app(app, argc, argv, common, [&] {
    measure_changes(request);
    endure(request);
    return 0;
  });
}
