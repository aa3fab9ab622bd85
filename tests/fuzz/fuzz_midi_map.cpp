// What MIDI messages mean: the file, and then all messages of a channel.
#include "apps/stream/midi_map.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  dsf::fuzz::may_refuse([&] {
    const dsf::MidiMap map(dsf::fuzz::text_of(data, size), "midi.yaml", {"wind", "rain", "gust"},
                           2);
    for (const unsigned char kind : {0x90, 0xB0}) {
      for (unsigned char number = 0; number < 128; ++number) {
        const unsigned char message[] = {kind, number, 100};
        for (const dsf::ControlLine::Value& value : map.follow(message).values) {
          if (value.index < 0 || value.index > 2) std::abort();
        }
      }
    }
  });
  return 0;
}
