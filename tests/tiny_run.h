#pragma once
// A training run that takes a moment: a few files of random codes and a configuration for them.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "engine/files/dac_file.h"
#include "kernels/common/random.h"

namespace dsf {

/// Random codes below `vocabulary`.
inline DacFile make_dac(uint64_t seed, int64_t frames = 13, uint32_t vocabulary = 64,
                        int64_t codebooks = 4) {
  DacFile file;
  file.channels = 1;
  file.n_codebooks = codebooks;
  file.frames = frames;
  for (uint64_t i = 0; i < static_cast<uint64_t>(codebooks * frames); ++i) {
    file.codes.push_back(static_cast<uint16_t>(random_words({seed, 1, 0}, i)[0] % vocabulary));
  }
  file.metadata.input_db = -20.0F;
  file.metadata.original_length = frames * 512;
  file.metadata.sample_rate = 44100;
  file.metadata.chunk_length = frames;
  file.metadata.channels = 1;
  file.metadata.padding = true;
  return file;
}

/// A new folder of files of two classes, "fire" and "rain", and one parameter, "rate". They use 16
/// of 64 codes: that much can be learned from them, the rest only by heart.
inline void make_tiny_data(const std::filesystem::path& folder, int files, uint64_t seed) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < files; ++i) {
    const std::string file =
        fmt::format("{}--rate-0{}.50--c-00--x-{}.dac", i % 2 ? "rain" : "fire", i % 2, 10 + i);
    write_dac(folder / file, make_dac(seed * 100 + static_cast<uint64_t>(i), 13, 16));
  }
}

/// A configuration for these files, in folders "train" and "validate" of the current directory.
inline void write_tiny_config(const std::filesystem::path& file, const std::string& model_class) {
  const bool ours = model_class == "StreamingDACTransformer";
  std::ofstream(file)
      << "experiment: tiny\ndata_dir: train\nvalidator_data_dir: validate\nTransformerClass: "
      << model_class << "\nvocab_size: 64\nnum_tokens: 4\ncond_params: 1\n"
      << (ours ? "model_size: 24\n" : "tblock_input_size: 27\n")
      << "class_names: [fire, rain]\nTi: 6\nTt: 12\nbatch_size: 3\nnum_layers: 2\nnum_heads: 2\n"
         "forward_expansion: 2\ndropout_rate: 0.2\nlearning_rate: 0.001\nnum_epochs: 2\n"
         "ErrorLogRate: 1\ncheckpoint_interval: 1\n";
}

/// The name of the checkpoint that such a run writes after an epoch.
inline std::string tiny_checkpoint(int64_t epoch) {
  return fmt::format("out.e24.l2.h2_chkpt_{:04}.safetensors", epoch);
}

}  // namespace dsf
