#pragma once
// Where an op runs.
#include <string_view>

namespace dsf {

enum class Device { cpu, cuda };

/// Handed to every op: the device, and on a GPU the stream its work is queued on.
struct Context {
  Device device = Device::cpu;
  void* stream = nullptr;
};

/// "cpu" or "cuda" to a Device; anything else, or a device this build or machine lacks, is a
/// UsageError that says which are there.
Device parse_device(std::string_view name);

}  // namespace dsf
