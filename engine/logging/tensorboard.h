#pragma once
// Writes scalars as TensorBoard reads them: an event file of TFRecords that hold protobuf messages.
//   record: length (uint64), masked CRC-32C of these 8 bytes, payload, masked CRC-32C of it
//   payload: tensorflow.Event {1: wall_time double, 2: step int64, 3: file_version string,
//            5: summary {1: value {1: tag string, 2: simple_value float}},
//            7: session_log {1: status, START = 1}}
// All little-endian. Source: the formats' public definitions (tfrecord; event.proto,
// summary.proto).
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dsf {

class EventWriter {
 public:
  /// Opens a new event file in `dir`, which is made if it does not exist; files of earlier runs
  /// stay. A resumed run gives the first step that it writes again as `resumed_at`: TensorBoard
  /// then leaves out what earlier files say from that step on.
  explicit EventWriter(const std::filesystem::path& dir,
                       std::optional<int64_t> resumed_at = std::nullopt);

  /// Appends a value. Whole records are handed to the system, so a crash loses no earlier one.
  void scalar(std::string_view tag, int64_t step, double value);
  /// Waits until everything written is on the disk.
  void flush();

  const std::filesystem::path& file() const { return file_; }

 private:
  void write_event(std::string_view fields);

  struct Close {
    void operator()(std::FILE* stream) const { std::fclose(stream); }
  };
  std::filesystem::path file_;
  std::unique_ptr<std::FILE, Close> stream_;
};

}  // namespace dsf
