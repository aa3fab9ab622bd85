#include "engine/files/zip_archive.h"

#include <zip.h>

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

}  // namespace

void ZipArchive::Discard::operator()(zip* archive) const {
  zip_discard(archive);
}

ZipArchive::ZipArchive(std::span<const std::byte> bytes, std::string source)
    : source_(std::move(source)) {
  ZipError error;
  zip_source_t* buffer = zip_source_buffer_create(bytes.data(), bytes.size(), 0, error.get());
  if (!buffer) fail("{}: cannot read it: {}", source_, error.text());
  zip_.reset(zip_open_from_source(buffer, ZIP_RDONLY, error.get()));
  if (!zip_) {
    zip_source_free(buffer);
    fail("{}: damaged zip archive: {}", source_, error.text());
  }
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
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(
      zip_fopen_index(zip_.get(), static_cast<zip_uint64_t>(index), 0), zip_fclose);
  if (!file) fail("{}: {}", where, zip_strerror(zip_.get()));
  std::string text(status.size, '\0');
  uint64_t done = 0;
  while (done < text.size()) {
    const zip_int64_t count = zip_fread(file.get(), text.data() + done, text.size() - done);
    if (count < 0) fail("{} is damaged: {}", where, zip_file_strerror(file.get()));
    if (count == 0) fail("{} ends after {} bytes, {} are expected", where, done, text.size());
    done += static_cast<uint64_t>(count);
  }
  char beyond = 0;  // reading on to the end makes the library compare the checksum
  const zip_int64_t more = zip_fread(file.get(), &beyond, 1);
  if (more < 0) fail("{} is damaged: {}", where, zip_file_strerror(file.get()));
  if (more > 0) fail("{} is larger than the {} bytes that it claims", where, text.size());
  return text;
}

}  // namespace dsf
