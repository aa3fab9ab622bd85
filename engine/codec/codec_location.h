#pragma once
// Which codec is meant, and where its weights are.
#include <filesystem>
#include <string>
#include <string_view>

namespace dsf {

// What a codec may be called instead of by its file: the one that comes with dsf (bundled_data.h),
// and the official one where the `dac` package caches it.
inline constexpr std::string_view kBundledCodec = "bundled", kOfficialCodec = "official";

/// The file that `name` means: kBundledCodec, kOfficialCodec or a file. Where it is not there, an
/// Error says where it was looked for.
std::filesystem::path find_codec(const std::filesystem::path& name);

/// What a user calls a codec, for whoever looks for it from another folder: one of the two words as
/// it is, a file's absolute path; empty where that file is not there.
std::string lasting_codec_name(const std::string& name);

/// The official weights where the `dac` package caches them; empty if they are not there.
std::filesystem::path cached_codec();

/// The lasting name of a file that was found: one of the two words where it is theirs.
std::string codec_name(const std::filesystem::path& file);

/// What a user can do where there are none: "give DAC weights with --codec FILE (…), or …".
/// `option` is the program's option for them.
std::string codec_advice(std::string_view option);

}  // namespace dsf
