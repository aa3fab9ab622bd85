#include "apps/stream/audio_device.h"

#include <fcntl.h>
#include <portaudio.h>
#include <unistd.h>

#include "kernels/common/checks.h"

namespace dsf {

struct AudioDevice::State {
  std::function<void(std::span<float>)> fill;
  PaStream* stream = nullptr;

  static int call(const void* /*input*/, void* output, unsigned long frames,
                  const PaStreamCallbackTimeInfo* /*time*/, PaStreamCallbackFlags /*flags*/,
                  void* self) {
    static_cast<State*>(self)->fill({static_cast<float*>(output), frames});
    return paContinue;
  }
};

namespace {

/// What the system's libraries print while they look for devices, of each that is not there, goes
/// nowhere while it lives.
class QuietLibraries {
 public:
  QuietLibraries() : before_(dup(STDERR_FILENO)), nowhere_(open("/dev/null", O_WRONLY)) {
    if (before_ >= 0 && nowhere_ >= 0) dup2(nowhere_, STDERR_FILENO);
  }
  ~QuietLibraries() {
    if (before_ >= 0 && nowhere_ >= 0) dup2(before_, STDERR_FILENO);
    close(before_);
    close(nowhere_);
  }
  QuietLibraries(const QuietLibraries&) = delete;
  QuietLibraries& operator=(const QuietLibraries&) = delete;

 private:
  int before_, nowhere_;
};

PaError initialize() {
  const QuietLibraries quiet;
  return Pa_Initialize();
}

void check(PaError error) {
  if (error == paNoError) return;
  Pa_Terminate();
  fail("--play: {}", Pa_GetErrorText(error));
}

}  // namespace

AudioDevice::AudioDevice(int64_t sample_rate, std::function<void(std::span<float>)> fill)
    : state_(std::make_unique<State>()) {
  state_->fill = std::move(fill);
  check(initialize());
  PaStreamParameters output{};
  output.device = Pa_GetDefaultOutputDevice();
  if (output.device == paNoDevice) {
    Pa_Terminate();
    fail(
        "--play: the system has no audio output; without --play the sound goes to standard output");
  }
  output.channelCount = 1;
  output.sampleFormat = paFloat32;
  output.suggestedLatency = Pa_GetDeviceInfo(output.device)->defaultLowOutputLatency;
  check(Pa_OpenStream(&state_->stream, nullptr, &output, static_cast<double>(sample_rate),
                      paFramesPerBufferUnspecified, paNoFlag, State::call, state_.get()));
  check(Pa_StartStream(state_->stream));
}

AudioDevice::~AudioDevice() {
  Pa_CloseStream(state_->stream);
  Pa_Terminate();
}

bool AudioDevice::plays() const {
  return Pa_IsStreamActive(state_->stream) == 1;
}

void AudioDevice::drain() {
  Pa_StopStream(state_->stream);
}

double AudioDevice::latency() const {
  const PaStreamInfo* info = Pa_GetStreamInfo(state_->stream);
  return info == nullptr ? 0 : info->outputLatency;
}

}  // namespace dsf
