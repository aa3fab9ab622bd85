// Sound files. The library behind the reader looks itself at what a file is: every input is made
// to begin as a WAV.
#include "engine/audio/audio_file.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".wav");
  std::string bytes(dsf::fuzz::text_of(data, size));
  bytes.replace(0, std::min<size_t>(size, 4), "RIFF");
  if (size >= 12) bytes.replace(8, 4, "WAVE");
  const auto& path = input.write(bytes);
  dsf::fuzz::may_refuse([&] { dsf::read_audio(path); });
  return 0;
}
