#include "engine/files/file_kind.h"

#include <array>
#include <fstream>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

/// "a sound file (WAV)"; empty for what is not known.
std::string_view describe(FileKind kind) {
  switch (kind) {
    case FileKind::wav:
      return "a sound file (WAV)";
    case FileKind::flac:
      return "a sound file (FLAC)";
    case FileKind::ogg:
      return "a sound file (Ogg)";
    case FileKind::aiff:
      return "a sound file (AIFF)";
    case FileKind::zip:
      return "a zip archive (.pth and .xlsx files are)";
    case FileKind::dac:
      return "a .dac file";
    case FileKind::safetensors:
      return "a .safetensors file";
    case FileKind::unknown:
      break;
  }
  return "";
}

bool is_sound(FileKind kind) {
  return kind == FileKind::wav || kind == FileKind::flac || kind == FileKind::ogg ||
         kind == FileKind::aiff;
}

}  // namespace

FileKind file_kind(const std::filesystem::path& path) {
  std::array<char, 12> bytes{};
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return FileKind::unknown;
  std::ifstream(path, std::ios::binary).read(bytes.data(), bytes.size());
  const std::string_view text(bytes.data(), bytes.size()), form = text.substr(8);
  if (text.starts_with("RIFF") && form == "WAVE") return FileKind::wav;
  if (text.starts_with("fLaC")) return FileKind::flac;
  if (text.starts_with("OggS")) return FileKind::ogg;
  if (text.starts_with("FORM") && form.starts_with("AIF")) return FileKind::aiff;
  if (text.starts_with("PK\x03\x04")) return FileKind::zip;
  if (text.starts_with("\x93NUMPY")) return FileKind::dac;
  // The length of a header below 2³² bytes, then the header.
  if (text.substr(4, 5) == std::string_view("\0\0\0\0{", 5)) return FileKind::safetensors;
  return FileKind::unknown;
}

void refuse_other_kinds(const std::filesystem::path& path, FileKind expected,
                        std::string_view wanted) {
  const FileKind kind = file_kind(path);
  if (kind == FileKind::unknown || kind == expected) return;
  fail("{}: this is {}, not {}{}", path.string(), describe(kind), wanted,
       is_sound(kind) && expected == FileKind::dac ? ": encode it first" : "");
}

}  // namespace dsf
