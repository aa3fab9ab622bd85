#pragma once
// From a .dac file's codes to its sound, as the `dac` package decodes it.
#include <memory>
#include <span>
#include <vector>

#include "engine/audio/audio_source.h"
#include "engine/audio/sample_store.h"
#include "engine/codec/codec.h"
#include "engine/files/dac_file.h"

namespace dsf {

/// The samples of one channel as the codec gives them, before loudness and rate: chunks of
/// chunk_length frames, with padding as the file says, are decoded by themselves and joined. The
/// file may have fewer codebooks than the codec; a code that the codec does not know and chunks too
/// short to be decoded without padding are Errors. Where `progress` ends it, the samples made until
/// then.
std::vector<float> decode_channel(const Codec& codec, const DacFile& file, int64_t channel,
                                  const DecodeProgress& progress = {});
/// The same, but `take` gets the samples. False where `progress` ended it.
bool stream_channel(const Codec& codec, const DacFile& file, int64_t channel,
                    const SampleSink& take, const DecodeProgress& progress = {});

/// Puts a channel's samples into interleaved sound, which takes their length.
void put_channel(Audio& audio, int64_t channel, std::span<const float> samples);

/// The whole file: each channel is decoded into `store`, which is empty and must outlive the sound.
/// Read from there, each is brought to input_db LUFS, all are resampled to the file's rate and cut
/// to original_length. Where the codes hold less than that, the sound is shorter. A rate beyond
/// 768 kHz is an Error. `progress` counts frames of all channels; where it ends the decode, there
/// is no sound. Memory does not grow with the length, but by the codes and what `store` takes.
std::unique_ptr<AudioSource> stream_dac(const Codec& codec, const DacFile& file, SampleStore& store,
                                        const DecodeProgress& progress = {});

/// The same in memory; no samples where `progress` ended it.
Audio decode_dac(const Codec& codec, const DacFile& file, const DecodeProgress& progress = {});

}  // namespace dsf
