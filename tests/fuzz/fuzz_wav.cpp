// Sound files. Only WAV is meant; the library behind it looks at what a file is itself.
#include "engine/audio/audio_file.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".wav");
  const std::string_view bytes = dsf::fuzz::text_of(data, size);
  if (!bytes.starts_with("RIFF")) return -1;  // not to be kept
  const auto& path = input.write(bytes);
  dsf::fuzz::may_refuse([&] { dsf::read_audio(path); });
  return 0;
}
