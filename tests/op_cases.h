#pragma once
// The one list of op cases. The correctness tests, the gradient checks and the benches all run it:
// a case added in tests/op_cases/<op>.cpp is tested against its double-precision loop, checked
// against finite differences and timed, with no further code.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/common/context.h"
#include "kernels/common/tensor.h"

namespace dsf::testing {

/// A float tensor of a case. Inputs are filled with independent values, normal with standard
/// deviation `scale` around `mean`, or uniform in mean ± scale. Of outputs that is how their given
/// gradient is filled.
struct Slot {
  enum class Fill { normal, uniform };
  std::string name;
  Shape shape;
  Fill fill = Fill::normal;
  double scale = 1.0;
  double mean = 0.0;
  bool differentiable = true;  // among inputs: backward gives its gradient
  std::string starts_as = "";  // among outputs: the input that it is a copy of before forward runs,
                               // for ops that work in place
};

/// An int32 tensor of a case; as an input filled uniformly with 0 … bound−1, but every `absent`th
/// with −1 unless that is 0.
struct IndexSlot {
  std::string name;
  Shape shape;
  int32_t bound = 1;
  int32_t absent = 0;
};

/// A limit on ‖ours − reference‖ / ‖reference‖ (Euclidean norms over a tensor), and why it is that.
struct Tolerance {
  double value = 0;
  std::string reason;
};

/// The float tensors that an op under test works on, by name. grad("x") is the gradient of x.
class OpTensors {
 public:
  Tensor operator[](const std::string& name) const { return at(tensors_, name); }
  Tensor grad(const std::string& name) const { return at(tensors_, "d " + name); }
  /// The gradient of input `name` as the backward under test is to write it (`mode` is the test's).
  Gradient gradient(const std::string& name) const { return {grad(name), mode}; }
  IndexTensor index(const std::string& name) const { return at(indices_, name); }

  Tensor add(const std::string& name, const Shape& shape);
  IndexTensor add_index(const std::string& name, const Shape& shape);

  /// Takes a tensor whose elements lie elsewhere (on a GPU).
  void put(const std::string& name, Tensor tensor) { tensors_[name] = tensor; }
  void put_index(const std::string& name, IndexTensor tensor) { indices_[name] = tensor; }
  /// All float tensors by name, "d x" the gradient of x, and all of integers.
  const std::map<std::string, Tensor>& all() const { return tensors_; }
  const std::map<std::string, IndexTensor>& all_indices() const { return indices_; }

  GradientMode mode = GradientMode::overwrite;

 private:
  template <class T>
  static T at(const std::map<std::string, T>& map, const std::string& name) {
    const auto found = map.find(name);
    DSF_CHECK(found != map.end(), "no tensor named '{}' in this case", name);
    return found->second;
  }
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, IndexTensor> indices_;
  std::map<std::string, std::vector<float>> storage_;
  std::map<std::string, std::vector<int32_t>> index_storage_;
};

/// The same in double precision, for the reference loops: plain vectors, row-major.
struct OpDoubles {
  std::map<std::string, std::vector<double>> tensors;
  std::map<std::string, std::vector<int32_t>> indices;
  std::vector<double>& operator[](const std::string& name) { return tensors.at(name); }
  std::vector<int32_t>& index(const std::string& name) { return indices.at(name); }
};

/// What one call costs, for the benches: bytes that must move at least once, and operations.
struct Work {
  double bytes = 0;
  double flops = 0;
};

struct OpCase {
  std::string name;  // "<op>/<variant>/<shapes>", unique
  std::vector<Slot> inputs;
  std::vector<IndexSlot> index_inputs;
  std::vector<Slot> outputs;             // compared with the reference's
  std::vector<IndexSlot> index_outputs;  // compared exactly
  std::vector<Slot> saved;               // written by forward, read by backward; or scratch
  /// Runs the op: reads the inputs, writes outputs and saved.
  std::function<void(const Context&, OpTensors&)> forward;
  /// Runs its backward after a forward: reads grad(output), writes gradient(input) of every
  /// differentiable input. Null for ops without backward.
  std::function<void(const Context&, OpTensors&)> backward;
  /// The forward as plain loops in double: fills the outputs from the inputs.
  std::function<void(OpDoubles&)> reference;
  Tolerance forward_tolerance;
  Tolerance backward_tolerance;  // against central differences of `reference`
  /// Of an op that rounds operands where its context's precision has it: what that adds to both
  /// tolerances, in units of the format's roundoff (2^-11 for TF32, 2^-8 for bf16); else 0.
  double forward_roundoffs = 0;
  double backward_roundoffs = 0;
  std::string roundoff_reason = {};
  Precision precision = Precision::fp32;  // a GPU's, see in_precision (cuda_case.h)
  double difference_step = 1e-5;
  Work forward_work;
  Work backward_work;
  bool bench_only = false;  // too large for the reference loops; some smaller case covers it
  bool cpu_only = false;    // of a form that a GPU has not
};

/// Copies on the device of `ctx`: for cases of ops that change a tensor in place.
void copy(const Context& ctx, Tensor to, ConstTensor from);

/// Every case of every op.
const std::vector<OpCase>& all_op_cases();

/// Tensors of `op_case` with inputs and output gradients filled from `seed`, all else poisoned
/// with NaN so that a read of what nobody wrote shows.
OpTensors make_tensors(const OpCase& op_case, uint64_t seed);

/// Copies to outputs what they start as, as make_tensors has done: before forward runs once more.
void restart(const OpCase& op_case, OpTensors& tensors);

// One function per op, in tests/op_cases/<op>.cpp.
using CaseList = std::vector<OpCase>;
void add_adaln_cases(CaseList& cases);
void add_adam_cases(CaseList& cases);
void add_attention_cases(CaseList& cases);
void add_conv1d_cases(CaseList& cases);
void add_conv_transpose1d_cases(CaseList& cases);
void add_cross_entropy_cases(CaseList& cases);
void add_decode_step_cases(CaseList& cases);
void add_dropout_cases(CaseList& cases);
void add_embedding_cases(CaseList& cases);
void add_film_cases(CaseList& cases);
void add_gather_sequences_cases(CaseList& cases);
void add_gradient_norm_cases(CaseList& cases);
void add_gradient_sum_cases(CaseList& cases);
void add_layernorm_cases(CaseList& cases);
void add_linear_cases(CaseList& cases);
void add_relu_cases(CaseList& cases);
void add_residual_cases(CaseList& cases);
void add_residual_layernorm_cases(CaseList& cases);
void add_residual_vq_cases(CaseList& cases);
void add_rope_cases(CaseList& cases);
void add_sample_top_n_cases(CaseList& cases);
void add_snake_cases(CaseList& cases);

}  // namespace dsf::testing
