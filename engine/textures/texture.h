#pragma once
// Procedural sound textures: material to train on without any recordings. Each class has one
// parameter in [0, 1]; everything else that tells two takes apart is drawn from the seed.
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/audio/audio.h"

namespace dsf {

inline constexpr int kTextureSampleRate = 44100;  // Hz

enum class TextureKind : uint32_t { pistons, wind, applause, bugs };

struct TextureClass {
  TextureKind kind;
  std::string_view name;        // "pistons"
  std::string_view class_name;  // of files, frames and models, as upstream's: "DSPistons"
  std::string_view parameter;   // "rate"
  std::string_view meaning;     // of the parameter
};

/// All four, in the order of the classes in upstream's file names.
std::span<const TextureClass> texture_classes();
const TextureClass& texture_class(TextureKind kind);
/// By either name; anything else is a UsageError.
const TextureClass& find_texture_class(std::string_view name);

struct TextureTake {
  TextureKind kind = TextureKind::pistons;
  double parameter = 0.5;  // in [0, 1]
  double seconds = 5;
  uint64_t seed = 0;
  uint32_t take = 0;  // takes of one seed are independent of each other
};

inline constexpr double kMinTextureSeconds = 0.001;
/// The longest sound whose samples a WAV of 32-bit floats can hold.
inline constexpr double kMaxTextureSeconds = 24000;

/// A UsageError for a parameter or a length out of range.
void check_texture(const TextureTake& take);

/// Mono, peaks below full scale. A function of the take alone; but for its level, a shorter take is
/// the beginning of a longer one. What check_texture refuses is refused.
Audio make_texture(const TextureTake& take);

}  // namespace dsf
