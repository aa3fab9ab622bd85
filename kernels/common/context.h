#pragma once
// Where an op runs.
#include <memory>
#include <string_view>

namespace dsf {

enum class Device { cpu, cuda };

/// What matrix products multiply in: float32 exactly; their operands rounded to TF32 (10 bits of
/// mantissa) or to bfloat16 (7 bits). A decoder's convolutions are meant, too, and on a GPU
/// attention's products. The CPU has no TF32. Products of few
/// rows (frames of so many streams: up to four, on a GPU up to 16 where sums have up to 1024 terms
/// and in gradients), sums, all other ops, the codec's encoder, weights and optimizer are float32
/// throughout, but in bf16 a decoder's weights and, on a GPU, what lies between its convolutions.
enum class Precision { fp32, tf32, bf16 };

/// Who convolves on a GPU: kernels of our own, or cuDNN where it has a plan. `side_by_side --tiles`
/// times both.
enum class Convolutions { own, cudnn };

/// Handed to every op: the device, and on a GPU the stream its work is queued on.
struct Context {
  Device device = Device::cpu;
  void* stream = nullptr;
  Precision precision = Precision::fp32;
  Convolutions convolutions = Convolutions::own;
  /// Frees the stream with the last context that has it; null: nobody does.
  std::shared_ptr<void> owner = {};
};

std::string_view name_of(Device device);
std::string_view name_of(Precision precision);

/// A context by the names of its device ("cpu", "cuda"), precision ("fp32", "tf32", "bf16") and
/// convolutions ("own", "cudnn"). Any other name, a device or library that this build or machine
/// lacks, a device that cannot run this build's kernels, or what the device has not, is a
/// UsageError that says which are there.
Context make_context(std::string_view device, std::string_view precision = "fp32",
                     std::string_view convolutions = "own");

}  // namespace dsf
