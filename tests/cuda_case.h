#pragma once
// An op case on the GPU that is linked into the program: a simulated or a real one.
#include "kernels/common/device_memory.h"
#include "kernels/common/dispatch.h"
#include "tests/op_checks.h"

namespace dsf::testing {

/// A case of an op that rounds operands, as it is to be in `precision`.
OpCase in_precision(OpCase op_case, Precision precision);

/// The cases that run on a GPU: the tested ones, and in TF32 and bf16 those that round operands.
std::vector<const OpCase*> cuda_cases();

/// The tensors of a case in memory of the device. Inputs, the gradients of outputs and, where
/// gradients accumulate, what they add to are copied there; nobody has written the rest.
class CudaTensors {
 public:
  /// Every tensor begins `offset` elements behind an address that fits vectors.
  CudaTensors(const OpCase& op_case, const OpTensors& host, int64_t offset = 0);
  ~CudaTensors();
  CudaTensors(const CudaTensors&) = delete;
  CudaTensors& operator=(const CudaTensors&) = delete;

  std::vector<float> values(const std::string& name) const;
  std::vector<int32_t> index_values(const std::string& name) const;

  OpTensors tensors;
  Context ctx;

 private:
  /// A copy of `tensor` in memory of the device, which is written where it is `copied`.
  template <class T>
  TensorView<T> place(const TensorView<T>& tensor, bool copied, int64_t offset);

  std::vector<void*> memory_;
};

/// What a case's forward and backward gave on the device, by name; gradients under "d " + input.
struct CudaResults {
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, std::vector<int32_t>> indices;

  /// NaN equals NaN.
  bool same_bits(const CudaResults& other) const;
};

/// Runs a case on the device with the tensors of `host`, whose mode says what backward does.
CudaResults run_on_cuda(const OpCase& op_case, const OpTensors& host, int64_t offset = 0);

/// How far a device's tensor is from the CPU's, and how far it may be.
struct Comparison {
  std::string name;
  double error = 0;
  Tolerance tolerance = {};
};

/// Runs the case on the CPU and compares outputs and gradients.
std::vector<Comparison> compare_with_cpu(const OpCase& op_case, OpTensors& host,
                                         const CudaResults& results);

/// Runs it on the CPU and expects the device's results within the case's tolerances of the CPU's.
void expect_as_on_cpu(const OpCase& op_case, OpTensors& host, const CudaResults& results);

/// Tensors of a case for a run in `mode`.
OpTensors make_tensors(const OpCase& op_case, uint64_t seed, GradientMode mode);

}  // namespace dsf::testing
