#pragma once
// Where a codec's weights are when nobody says so.
#include <filesystem>
#include <string>
#include <string_view>

namespace dsf {

/// The place of the codec's weights: `wanted` if given (it must exist), else the official ones
/// where the `dac` package caches them, else empty.
std::filesystem::path find_codec(const std::filesystem::path& wanted);

/// What a user can do where there are none: "give DAC weights with --codec FILE (…), or …".
/// `option` is the program's option for them.
std::string codec_advice(std::string_view option);

}  // namespace dsf
