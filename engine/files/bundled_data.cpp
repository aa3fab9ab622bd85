#include "engine/files/bundled_data.h"

#include <fmt/format.h>

#include <cstdlib>

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "DSF_DATA";
constexpr const char* kBuiltFrom = DSF_DATA_FOLDER;  // data/ of the source tree

/// What the variable says; empty where it is not set.
fs::path other_folder() {
  const char* named = std::getenv(kVariable);
  return named ? named : "";
}

/// Why a file is no bundled one.
std::string what_is_wrong(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::exists(status)) return "is no file";
  const bool absent = status.type() == fs::file_type::not_found;
  return absent ? "is not there" : fmt::format("cannot be looked at ({})", error.message());
}

}  // namespace

fs::path data_folder() {
  const fs::path other = other_folder();
  return other.empty() ? fs::path(kBuiltFrom) : other;
}

fs::path bundled_codec() {
  return data_folder() / "codec" / "weights.pth";
}

fs::path bundled_model() {
  return data_folder() / "models" / "textures.safetensors";
}

bool is_bundled(const fs::path& file) {
  std::error_code unreadable;  // what may not be looked at is none for us
  return fs::is_regular_file(file, unreadable);
}

std::string describe_missing(const fs::path& file) {
  const fs::path other = other_folder();
  if (other.empty()) {
    return fmt::format("{} {} (the environment variable {} can name another folder than {})",
                       file.string(), what_is_wrong(file), kVariable, kBuiltFrom);
  }
  return fmt::format("{} {} (the environment variable {} names {}; without it the folder is {})",
                     file.string(), what_is_wrong(file), kVariable, other.string(), kBuiltFrom);
}

}  // namespace dsf
