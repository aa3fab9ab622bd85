#include "kernels/onednn/prepared_matmul.h"

#include <omp.h>

#include <array>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <new>

#include "kernels/common/checks.h"

namespace dsf::onednn {
namespace {

using dnnl::memory;

/// Whether it pays to bring B into the order in which it is read: many rows read it, and it is not
/// much of what there is to do.
bool worth_packing(const Product& p) {
  return p.m >= 512 && p.m >= p.n;
}

/// Shapes that a thread keeps; a training step has some twenty.
constexpr size_t kMostKept = 64;
constexpr std::align_val_t kAlignment{64};

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc matrix(int64_t rows, int64_t cols, Transpose transpose, int64_t leading) {
  const bool transposed = transpose == Transpose::yes;
  return {{rows, cols},
          memory::data_type::f32,
          transposed ? memory::dims{1, leading} : memory::dims{leading, 1}};
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

dnnl::matmul::primitive_desc describe(const Product& p, const memory::desc& b) {
  const memory::desc a = matrix(p.m, p.k, p.transpose_a, p.lda);
  const memory::desc c = matrix(p.m, p.n, Transpose::no, p.ldc);
  const memory::desc bias = p.bias ? matrix(1, p.n, Transpose::no, p.n) : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), a, b, bias, c, epilogue(p)};
#else
  return {dnnl::matmul::desc(a, b, bias, c), epilogue(p), cpu()};
#endif
}

/// Where a thread's products bring B into order, one after another.
void* packing_memory(size_t bytes) {
  struct Release {
    void operator()(void* memory) const { ::operator delete(memory, kAlignment); }
  };
  thread_local std::unique_ptr<void, Release> buffer;
  thread_local size_t size = 0;
  if (size < bytes) {
    buffer.reset(::operator new(bytes, kAlignment));
    size = bytes;
  }
  return buffer.get();
}

class Prepared {
 public:
  explicit Prepared(const Product& p)
      : Prepared(p, matrix(p.k, p.n, p.transpose_b, p.ldb), worth_packing(p)) {}

  void run(const Product& p) {
    // oneDNN takes inputs as mutable, too; it does not write them.
    a_.set_data_handle(const_cast<float*>(p.a));
    b_.set_data_handle(const_cast<float*>(p.b));
    c_.set_data_handle(p.c);
    if (p.bias) bias_.set_data_handle(const_cast<float*>(p.bias));
    if (pack_) {
      packed_.set_data_handle(packing_memory(packed_.get_desc().get_size()));
      pack_.execute(stream_, pack_arguments_);
    }
    matmul_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  Prepared(const Product& p, const memory::desc& b, bool pack)
      : Prepared(p, b,
                 describe(p, pack ? memory::desc({p.k, p.n}, memory::data_type::f32,
                                                 memory::format_tag::any)
                                  : b)) {}

  Prepared(const Product& p, const memory::desc& b, const dnnl::matmul::primitive_desc& described)
      : stream_(cpu()),
        matmul_(described),
        a_(described.src_desc(), cpu(), nullptr),
        b_(b, cpu(), nullptr),
        c_(described.dst_desc(), cpu(), nullptr),
        arguments_{{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}} {
    if (p.bias) {
      bias_ = memory(described.bias_desc(), cpu(), nullptr);
      arguments_[DNNL_ARG_BIAS] = bias_;
    }
    if (described.weights_desc() == b) return;
    packed_ = memory(described.weights_desc(), cpu(), nullptr);
    pack_ = dnnl::reorder(b_, packed_);
    pack_arguments_ = {{DNNL_ARG_FROM, b_}, {DNNL_ARG_TO, packed_}};
    arguments_[DNNL_ARG_WEIGHTS] = packed_;
  }

  dnnl::stream stream_;
  dnnl::matmul matmul_;
  dnnl::reorder pack_;  // empty: B is read as it is
  memory a_, b_, c_, bias_, packed_;
  std::unordered_map<int, memory> arguments_, pack_arguments_;
};

/// All that code is made for, among it the number of threads that oneDNN counts on.
using Shape = std::array<int64_t, 11>;

Shape shape_of(const Product& p) {
  return {p.m,
          p.n,
          p.k,
          p.lda,
          p.ldb,
          p.ldc,
          p.transpose_a == Transpose::yes,
          p.transpose_b == Transpose::yes,
          p.keep != 0.0F,
          int64_t{p.bias != nullptr} + 2 * int64_t{p.relu},
          omp_get_max_threads()};
}

}  // namespace

void prepared_matmul(const Product& p) {
  if (p.m == 0 || p.n == 0) return;
  DSF_CHECK(p.k > 0 && (p.keep == 0.0F || p.keep == 1.0F), "k {}, keep {}", p.k, p.keep);
  thread_local std::map<Shape, Prepared> kept;
  const Shape shape = shape_of(p);
  try {
    auto found = kept.find(shape);
    if (found == kept.end()) {
      if (kept.size() == kMostKept) kept.clear();
      found = kept.try_emplace(shape, p).first;
    }
    found->second.run(p);
  } catch (const dnnl::error& error) {
    fail("oneDNN refused the matrix product [{}, {}]·[{}, {}]: {}", p.m, p.k, p.k, p.n,
         error.what());
  }
}

}  // namespace dsf::onednn
