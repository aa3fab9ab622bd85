// libdsf's C functions, over LiveStream.
#include "include/dsf.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "engine/generation/morph.h"
#include "engine/live/control_line.h"
#include "engine/live/live_stream.h"
#include "kernels/common/checks.h"

struct dsf_stream {
  dsf::LiveStream live;
};

namespace {

constexpr double kLongestBuffer = 10;  // seconds

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

/// In the interface's words, where the engine's are of the command line.
void check(const dsf_options& options) {
  const double buffer = options.buffer_seconds;
  if (!(buffer >= 0 && buffer <= kLongestBuffer)) {
    dsf::fail_usage("buffer_seconds is {}; expected 0 to {}", buffer, kLongestBuffer);
  }
  if (options.top_n < 0 || options.top_n > dsf::kMaxTopN) {
    dsf::fail_usage("top_n is {}; expected 1 to {}, or 0: as the model says", options.top_n,
                    dsf::kMaxTopN);
  }
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    dsf::fail_usage("temperature is {}; expected a finite number above 0, or 0: as the model says",
                    options.temperature);
  }
  if (!(options.min_p <= 1)) {
    dsf::fail_usage("min_p is {}; expected 0 to 1, or below 0: as the model says", options.min_p);
  }
  if (options.chunk_frames < 1 || options.chunk_frames > dsf::kMostChunkFrames) {
    dsf::fail_usage("chunk_frames is {}; expected 1 to {} (dsf_default_options gives 2)",
                    options.chunk_frames, dsf::kMostChunkFrames);
  }
}

std::unique_ptr<dsf_stream> open(const dsf_options& options) {
  check(options);
  const std::atomic<bool> never{false};
  dsf::LiveRequest request;
  request.model = text_of(options.model);
  request.codec = text_of(options.codec);
  request.sound.class_name = text_of(options.class_name);
  request.sound.seed = options.seed;
  if (options.top_n != 0) request.sound.sampling.top_n = options.top_n;
  if (options.temperature != 0) request.sound.sampling.temperature = options.temperature;
  if (!(options.min_p < 0)) request.sound.sampling.min_p = options.min_p;
  auto renderer = std::make_unique<dsf::LiveRenderer>(dsf::load_live_model({}, request, never),
                                                      options.chunk_frames);
  const auto rate = static_cast<double>(renderer->model().timing.sample_rate);
  const auto ahead = static_cast<int64_t>(std::ceil(options.buffer_seconds * rate));
  return std::unique_ptr<dsf_stream>(new dsf_stream{{std::move(renderer), ahead}});
}

void put_error(std::string_view text, char* error, size_t size) {
  if (error == nullptr || size == 0) return;
  const size_t length = std::min(text.size(), size - 1);
  std::memcpy(error, text.data(), length);
  error[length] = '\0';
}

}  // namespace

extern "C" {

const char* dsf_version() {
  return DSF_VERSION;
}

dsf_options dsf_default_options() {
  dsf_options options{};
  options.chunk_frames = 2;
  options.min_p = -1;
  options.buffer_seconds = dsf::kLiveBuffer;
  return options;
}

dsf_stream* dsf_open(const dsf_options* options, char* error, size_t error_size) {
  try {
    return open(options == nullptr ? dsf_default_options() : *options).release();
  } catch (const std::exception& failure) {
    put_error(failure.what(), error, error_size);
  }
  return nullptr;
}

void dsf_close(dsf_stream* stream) {
  delete stream;
}

int32_t dsf_sample_rate(const dsf_stream* stream) {
  return static_cast<int32_t>(stream->live.model().timing.sample_rate);
}

int32_t dsf_control_count(const dsf_stream* stream) {
  return static_cast<int32_t>(stream->live.model().names.size());
}

const char* dsf_control_name(const dsf_stream* stream, int32_t control) {
  if (control < 0 || control >= dsf_control_count(stream)) return nullptr;
  return stream->live.model().names[static_cast<size_t>(control)].c_str();
}

int32_t dsf_find_control(const dsf_stream* stream, const char* name) {
  const std::vector<std::string>& names = stream->live.model().names;
  const auto found = name == nullptr ? names.end() : std::ranges::find(names, name);
  return found == names.end() ? -1 : static_cast<int32_t>(found - names.begin());
}

int32_t dsf_set(dsf_stream* stream, int32_t control, float value, double seconds) {
  if (control < 0 || control >= dsf_control_count(stream)) return -1;
  if (!(std::abs(value) <= dsf::kMaxConditioning)) return -1;
  if (!(seconds >= 0 && seconds <= dsf::kLongestGlide)) return -1;
  const dsf::ControlLine::Value one[] = {{control, value}};
  stream->live.control().set(one, stream->live.model().frames(seconds));
  return 0;
}

int64_t dsf_process(dsf_stream* stream, float* samples, int64_t count) {
  if (count <= 0) return 0;
  return stream->live.process({samples, static_cast<size_t>(count)});
}

int32_t dsf_pull(dsf_stream* stream, float* samples, int64_t count) {
  if (count <= 0) return 0;
  try {
    stream->live.pull({samples, static_cast<size_t>(count)});
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

int64_t dsf_underruns(const dsf_stream* stream) {
  return stream->live.underruns();
}

const char* dsf_failure(const dsf_stream* stream) {
  const std::string* error = stream->live.error();
  return error == nullptr ? nullptr : error->c_str();
}

}  // extern "C"
