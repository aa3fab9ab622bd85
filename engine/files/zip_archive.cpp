#include "engine/files/zip_archive.h"

#include <zip.h>

#include <algorithm>
#include <array>

#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kUnsuspicious = uint64_t{1}
                                   << 20;  // bytes that may be stored in next to nothing
constexpr uint64_t kMostInflated = 100;    // times the stored size, above that

/// libzip's errors, which it wants to be told to release.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;

  zip_error_t* get() { return &error_; }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_{};
};

constexpr std::string_view kZip = "PK\x03\x04";

struct Beginning {
  std::string_view bytes;
  std::string_view meaning;
};
constexpr std::array<Beginning, 2> kOtherFiles = {{
    // A pickle of the number 0x1950a86a20f9469cfc6c.
    {"\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19",
     "it has PyTorch's format before 1.6; load and save it again with a newer PyTorch"},
    {"\xD0\xCF\x11\xE0",
     "it is an old .xls or a password-protected workbook; save it as a plain .xlsx"},
}};
constexpr size_t kLongestBeginning = 14;

void check_beginning(std::string_view text, const std::string& source, std::string_view expected) {
  if (text.starts_with(kZip)) return;
  if (text.empty()) fail("{}: it is empty", source);
  for (const Beginning& other : kOtherFiles) {
    if (text.starts_with(other.bytes)) fail("{}: {}", source, other.meaning);
  }
  fail("{}: not {}: it is no zip archive", source, expected);
}

}  // namespace

void ZipArchive::Discard::operator()(zip* archive) const {
  zip_discard(archive);
}

ZipArchive::ZipArchive(std::span<const std::byte> bytes, std::string source,
                       std::string_view expected)
    : source_(std::move(source)) {
  check_beginning({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, source_, expected);
  ZipError error;
  zip_source_t* buffer = zip_source_buffer_create(bytes.data(), bytes.size(), 0, error.get());
  if (!buffer) fail("{}: cannot read it: {}", source_, error.text());
  zip_.reset(zip_open_from_source(buffer, ZIP_RDONLY, error.get()));
  if (!zip_) {
    zip_source_free(buffer);
    fail("{}: damaged zip archive: {}", source_, error.text());
  }
}

ZipArchive::ZipArchive(const std::filesystem::path& path, std::string_view expected)
    : source_(path.string()) {
  const InputFile file(path);
  std::string beginning(std::min<uint64_t>(file.size(), kLongestBeginning), '\0');
  file.read(0, std::as_writable_bytes(std::span(beginning)));
  check_beginning(beginning, source_, expected);
  int code = 0;
  zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (zip_) return;
  ZipError error;
  zip_error_init_with_code(error.get(), code);
  fail("{}: damaged zip archive: {}", source_, error.text());
}

std::vector<ZipArchive::Entry> ZipArchive::entries() const {
  std::vector<Entry> result;
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  for (zip_uint64_t index = 0; index < static_cast<zip_uint64_t>(count); ++index) {
    zip_stat_t status;
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(zip_.get(), index, ZIP_FL_ENC_RAW, &status) != 0 ||
        (status.valid & kNeeded) != kNeeded) {
      fail("{}: entry {} of the zip archive is damaged", source_, index);
    }
    result.push_back(
        {index, status.name, status.size, status.comp_size, status.comp_method != ZIP_CM_STORE});
  }
  return result;
}

bool ZipArchive::contains(const std::string& name) const {
  return zip_name_locate(zip_.get(), name.c_str(), ZIP_FL_ENC_GUESS) >= 0;
}

std::string ZipArchive::read(const std::string& name, uint64_t max_bytes) const {
  const std::string where = fmt::format("{}: {}", source_, quote(name));
  const zip_int64_t index = zip_name_locate(zip_.get(), name.c_str(), ZIP_FL_ENC_GUESS);
  if (index < 0) fail("{} is not in the archive", where);
  zip_stat_t status;
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  if (zip_stat_index(zip_.get(), static_cast<zip_uint64_t>(index), 0, &status) != 0 ||
      (status.valid & kNeeded) != kNeeded) {
    fail("{} has a damaged entry in the archive's directory", where);
  }
  if (status.size > max_bytes) {
    fail("{} has {} bytes, at most {} are expected", where, status.size, max_bytes);
  }
  if (status.size > kUnsuspicious && status.size / kMostInflated > status.comp_size) {
    fail("{} grows from {} to {} bytes, more than {} times; no spreadsheet does", where,
         status.comp_size, status.size, kMostInflated);
  }
  std::string text(status.size, '\0');
  read(static_cast<uint64_t>(index), where, std::as_writable_bytes(std::span(text)));
  return text;
}

void ZipArchive::read(uint64_t index, const std::string& where, std::span<std::byte> target) const {
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
      zip_fopen_index(zip_.get(), index, 0), zip_fclose);
  if (!file) fail("{}: {}", where, zip_strerror(zip_.get()));
  uint64_t done = 0;
  while (done < target.size()) {
    const zip_int64_t count = zip_fread(file.get(), target.data() + done, target.size() - done);
    if (count < 0) fail("{} is damaged: {}", where, zip_file_strerror(file.get()));
    if (count == 0) fail("{} ends after {} bytes, {} are expected", where, done, target.size());
    done += static_cast<uint64_t>(count);
  }
  char beyond = 0;  // reading on to the end makes the library compare the checksum
  const zip_int64_t more = zip_fread(file.get(), &beyond, 1);
  if (more < 0) fail("{} is damaged: {}", where, zip_file_strerror(file.get()));
  if (more > 0) fail("{} is larger than the {} bytes that it claims", where, target.size());
}

}  // namespace dsf
