#include "apps/stream/audio_device.h"

#include <fcntl.h>
#include <portaudio.h>
#include <unistd.h>

#include "kernels/common/checks.h"

namespace dsf {

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

class AudioDevice : public AudioOutput {
 public:
  AudioDevice(int64_t sample_rate, AudioFill fill) : fill_(std::move(fill)) {
    check(initialize());
    PaStreamParameters output{};
    output.device = Pa_GetDefaultOutputDevice();
    if (output.device == paNoDevice) {
      Pa_Terminate();
      fail(
          "--play: the system has no audio output; without --play the sound goes to standard "
          "output");
    }
    output.channelCount = 1;
    output.sampleFormat = paFloat32;
    output.suggestedLatency = Pa_GetDeviceInfo(output.device)->defaultLowOutputLatency;
    check(Pa_OpenStream(&stream_, nullptr, &output, static_cast<double>(sample_rate),
                        paFramesPerBufferUnspecified, paNoFlag, call, this));
    check(Pa_StartStream(stream_));
  }
  ~AudioDevice() override {
    Pa_CloseStream(stream_);
    Pa_Terminate();
  }
  AudioDevice(const AudioDevice&) = delete;
  AudioDevice& operator=(const AudioDevice&) = delete;

  bool plays() const override { return Pa_IsStreamActive(stream_) == 1; }
  void drain() override { Pa_StopStream(stream_); }
  double latency() const override {
    const PaStreamInfo* info = Pa_GetStreamInfo(stream_);
    return info == nullptr ? 0 : info->outputLatency;
  }

 private:
  static int call(const void* /*input*/, void* output, unsigned long frames,
                  const PaStreamCallbackTimeInfo* /*time*/, PaStreamCallbackFlags /*flags*/,
                  void* self) {
    static_cast<AudioDevice*>(self)->fill_({static_cast<float*>(output), frames});
    return paContinue;
  }

  AudioFill fill_;
  PaStream* stream_ = nullptr;
};

}  // namespace

std::unique_ptr<AudioOutput> open_audio_device(int64_t sample_rate, AudioFill fill) {
  return std::make_unique<AudioDevice>(sample_rate, std::move(fill));
}

}  // namespace dsf
