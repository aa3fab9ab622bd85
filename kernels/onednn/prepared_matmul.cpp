#include "kernels/onednn/prepared_matmul.h"

#include <cstddef>
#include <memory>
#include <new>

#include "kernels/common/checks.h"
#include "kernels/onednn/kept.h"

namespace dsf::onednn {
namespace {

using dnnl::memory;

/// Whether it pays to bring B into the order in which it is read: many rows read it, and it is not
/// much of what there is to do.
bool worth_packing(const Product& p) {
  return p.m >= 512 && p.m >= p.n;
}

constexpr std::align_val_t kAlignment{64};

memory::desc matrix(int64_t rows, int64_t cols, Transpose transpose, int64_t leading) {
  const bool transposed = transpose == Transpose::yes;
  return {{rows, cols},
          memory::data_type::f32,
          transposed ? memory::dims{1, leading} : memory::dims{leading, 1}};
}

/// In whatever order the product reads best.
memory::desc any_order(int64_t rows, int64_t cols, bool bf16) {
  return {{rows, cols},
          bf16 ? memory::data_type::bf16 : memory::data_type::f32,
          memory::format_tag::any};
}

dnnl::primitive_attr epilogue(const Product& p) {
  dnnl::post_ops ops;
  if (p.keep != 0.0F) ops.append_sum();
  if (p.relu) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
#else
    ops.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
#endif
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(ops);
  return attributes;
}

/// Of operands as they are given; what is rounded, or worth packing, may lie as oneDNN likes.
struct Given {
  explicit Given(const Product& p)
      : a(matrix(p.m, p.k, p.transpose_a, p.lda)), b(matrix(p.k, p.n, p.transpose_b, p.ldb)) {}

  memory::desc a, b;
};

dnnl::matmul::primitive_desc describe(const Product& p, const Given& given) {
  const memory::desc a = p.bf16 ? any_order(p.m, p.k, true) : given.a;
  const memory::desc b = p.bf16 || worth_packing(p) ? any_order(p.k, p.n, p.bf16) : given.b;
  const memory::desc c = matrix(p.m, p.n, Transpose::no, p.ldc);
  const memory::desc bias = p.bias ? matrix(1, p.n, Transpose::no, p.n) : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), a, b, bias, c, epilogue(p)};
#else
  return {dnnl::matmul::desc(a, b, bias, c), epilogue(p), cpu()};
#endif
}

/// Memory of a thread, of which its products use some, one after another.
class Scratch {
 public:
  std::byte* of_size(size_t bytes) {
    if (size_ < bytes) {
      memory_.reset(static_cast<std::byte*>(::operator new(bytes, kAlignment)));
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  struct Release {
    void operator()(std::byte* memory) const { ::operator delete(memory, kAlignment); }
  };
  std::unique_ptr<std::byte, Release> memory_;
  size_t size_ = 0;
};

/// A or B: as it is given or, if the product reads another type or order, brought into that before.
class Operand {
 public:
  Operand(const memory::desc& given, const memory::desc& read) : given_(given, cpu(), nullptr) {
    if (read == given) return;
    brought_ = memory(read, cpu(), nullptr);
    bring_ = dnnl::reorder(given_, brought_);
    arguments_ = {{DNNL_ARG_FROM, given_}, {DNNL_ARG_TO, brought_}};
  }

  const memory& read() const { return is_brought() ? brought_ : given_; }
  /// Of scratch memory, in whole units of its alignment.
  size_t scratch_size() const {
    const auto unit = static_cast<size_t>(kAlignment);
    return is_brought() ? (brought_.get_desc().get_size() + unit - 1) / unit * unit : 0;
  }
  void set(const float* data, std::byte* scratch, const dnnl::stream& stream) {
    // oneDNN takes inputs as mutable, too; it does not write them.
    given_.set_data_handle(const_cast<float*>(data));
    if (!is_brought()) return;
    brought_.set_data_handle(scratch);
    bring_.execute(stream, arguments_);
  }

 private:
  bool is_brought() const { return !arguments_.empty(); }

  memory given_, brought_;
  dnnl::reorder bring_;
  std::unordered_map<int, memory> arguments_;
};

class Prepared {
 public:
  explicit Prepared(const Product& p) : Prepared(p, Given(p)) {}

  void run(const Product& p, Scratch& scratch) {
    std::byte* const space = scratch.of_size(a_.scratch_size() + b_.scratch_size());
    a_.set(p.a, space, stream_);
    b_.set(p.b, space + a_.scratch_size(), stream_);
    c_.set_data_handle(p.c);
    if (p.bias) bias_.set_data_handle(const_cast<float*>(p.bias));
    matmul_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  Prepared(const Product& p, const Given& given) : Prepared(p, given, describe(p, given)) {}

  Prepared(const Product& p, const Given& given, const dnnl::matmul::primitive_desc& described)
      : stream_(cpu()),
        matmul_(described),
        a_(given.a, described.src_desc()),
        b_(given.b, described.weights_desc()),
        c_(described.dst_desc(), cpu(), nullptr),
        arguments_{{DNNL_ARG_SRC, a_.read()}, {DNNL_ARG_WEIGHTS, b_.read()}, {DNNL_ARG_DST, c_}} {
    if (!p.bias) return;
    bias_ = memory(described.bias_desc(), cpu(), nullptr);
    arguments_[DNNL_ARG_BIAS] = bias_;
  }

  dnnl::stream stream_;
  dnnl::matmul matmul_;
  Operand a_, b_;
  memory c_, bias_;
  std::unordered_map<int, memory> arguments_;
};

std::array<int64_t, 10> shape_of(const Product& p) {
  return {p.m,
          p.n,
          p.k,
          p.lda,
          p.ldb,
          p.ldc,
          p.transpose_a == Transpose::yes,
          p.transpose_b == Transpose::yes,
          p.keep != 0.0F,
          int64_t{p.bias != nullptr} + 2 * int64_t{p.relu} + 4 * int64_t{p.bf16}};
}

}  // namespace

bool has_bf16() {
  static const bool has = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) ==
                          dnnl_cpu_isa_avx512_core_bf16;
  return has;
}

void prepared_matmul(const Product& p) {
  if (p.m == 0 || p.n == 0) return;
  DSF_CHECK(p.k > 0 && (p.keep == 0.0F || p.keep == 1.0F), "k {}, keep {}", p.k, p.keep);
  thread_local Kept<Prepared, 10> kept;
  thread_local Scratch scratch;
  try {
    kept.get(shape_of(p), p).run(p, scratch);
  } catch (const dnnl::error& error) {
    fail("oneDNN refused the matrix product [{}, {}]·[{}, {}]: {}", p.m, p.k, p.k, p.n,
         error.what());
  }
}

}  // namespace dsf::onednn
