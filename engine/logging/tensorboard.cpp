#include "engine/logging/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "engine/logging/crc32c.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

void append_little_endian(std::string& bytes, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
}

void append_varint(std::string& bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7F) | 0x80);
  bytes += static_cast<char>(value);
}

// Protobuf's wire types: how the bytes after a field's key are to be read.
enum class Wire : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_key(std::string& message, uint32_t field, Wire wire) {
  append_varint(message, field << 3 | static_cast<uint32_t>(wire));
}

void append_bytes(std::string& message, uint32_t field, std::string_view bytes) {
  append_key(message, field, Wire::bytes);
  append_varint(message, bytes.size());
  message += bytes;
}

void append_varint(std::string& message, uint32_t field, int64_t value) {
  append_key(message, field, Wire::varint);
  append_varint(message, static_cast<uint64_t>(value));
}

void append_double(std::string& message, uint32_t field, double value) {
  append_key(message, field, Wire::fixed64);
  append_little_endian(message, std::bit_cast<uint64_t>(value), 8);
}

void append_float(std::string& message, uint32_t field, float value) {
  append_key(message, field, Wire::fixed32);
  append_little_endian(message, std::bit_cast<uint32_t>(value), 4);
}

/// The format stores a CRC rotated and shifted, so that data which contains CRCs is no weak case.
uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8U;
}

std::string make_record(std::string_view payload) {
  std::string record;
  append_little_endian(record, payload.size(), 8);
  append_little_endian(record, masked_crc(record), 4);
  record += payload;
  append_little_endian(record, masked_crc(payload), 4);
  return record;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

/// A new file whose name TensorBoard recognises and sorts by time.
int create_event_file(const std::filesystem::path& dir, std::filesystem::path& file) {
  const std::string stem = fmt::format("events.out.tfevents.{:010d}.{}.{}",
                                       static_cast<int64_t>(wall_time()), host_name(), getpid());
  for (int number = 0; number < 10'000; ++number) {
    file = dir / fmt::format("{}.{}", stem, number);
    const int descriptor =
        open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor >= 0) return descriptor;
    if (errno != EEXIST) fail("{}: cannot be created: {}", file.string(), std::strerror(errno));
  }
  fail("{}: this and {} names before it are taken", file.string(), 9'999);
}

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& dir, std::optional<int64_t> resumed_at) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) fail("{}: cannot be made: {}", dir.string(), error.message());
  stream_.reset(fdopen(create_event_file(dir, file_), "ab"));
  if (!stream_) fail("{}: cannot be opened: {}", file_.string(), std::strerror(errno));

  std::string version;
  append_bytes(version, 3, "brain.Event:2");
  write_event(version);
  if (resumed_at) {
    std::string start, session;
    append_varint(start, 1, 1);
    append_varint(session, 2, *resumed_at);
    append_bytes(session, 7, start);
    write_event(session);
  }
}

void EventWriter::scalar(std::string_view tag, int64_t step, double value) {
  std::string entry, summary, event;
  append_bytes(entry, 1, tag);
  append_float(entry, 2, static_cast<float>(value));
  append_bytes(summary, 1, entry);
  append_varint(event, 2, step);
  append_bytes(event, 5, summary);
  write_event(event);
}

void EventWriter::write_event(std::string_view fields) {
  std::string event;
  append_double(event, 1, wall_time());
  event += fields;
  const std::string record = make_record(event);
  if (std::fwrite(record.data(), 1, record.size(), stream_.get()) != record.size() ||
      std::fflush(stream_.get()) != 0) {
    fail("{}: cannot be written: {}", file_.string(), std::strerror(errno));
  }
}

void EventWriter::flush() {
  if (fsync(fileno(stream_.get())) != 0) {
    fail("{}: cannot be written to the disk: {}", file_.string(), std::strerror(errno));
  }
}

}  // namespace dsf
