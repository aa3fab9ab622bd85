#pragma once
// What a file is by its first bytes, for those who gave the wrong one.
#include <filesystem>
#include <string_view>

namespace dsf {

enum class FileKind { unknown, wav, flac, ogg, aiff, zip, dac, safetensors };

/// Unknown also where the file cannot be read. What PyTorch writes is a zip archive.
FileKind file_kind(const std::filesystem::path& path);

/// Refuses a file that is of a known kind, and not of the one `expected`, by an Error that says
/// what it is and that it is not `wanted`: "x.wav: this is a sound file (WAV), not a model". Others
/// pass: what is wrong with them their reader says better.
void refuse_other_kinds(const std::filesystem::path& path, FileKind expected,
                        std::string_view wanted);

}  // namespace dsf
