#pragma once
// Which codec makes sound of a model's codes.
#include <filesystem>
#include <string>

#include "engine/codec/codec_config.h"
#include "engine/training/checkpoint.h"

namespace dsf {

/// What a caller says of the codec.
struct CodecWish {
  std::filesystem::path name;  // as find_codec takes it; empty: nothing
  bool none = false;           // no sound, even if there is one
};

/// The file is empty where there is none, and `absent` says why.
struct ChosenCodec {
  std::filesystem::path file;
  std::string absent;
};

/// What is wished for, else what the model says, else the official weights where they are cached.
/// Codes of one codec are noise to another, so there is no other to fall back on. A codec that is
/// wished for and not there is an Error.
ChosenCodec choose_codec(const CodecWish& wish, const CheckpointInfo& model);

/// What the model can draw the codec must be able to decode, else an Error that names its `file`.
void check_codec(const std::filesystem::path& file, const ModelConfig& model,
                 const CodecConfig& codec);

}  // namespace dsf
