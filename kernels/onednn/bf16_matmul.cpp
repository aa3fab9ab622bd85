#include "kernels/onednn/bf16_matmul.h"

#include "kernels/common/checks.h"
#include "kernels/onednn/kept.h"

namespace dsf::onednn {
namespace {

using dnnl::memory;

class Bf16Product {
 public:
  Bf16Product(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc)
      : Bf16Product({{m, k}, memory::data_type::bf16, memory::dims{lda, 1}},
                    {{k, n}, memory::data_type::bf16, memory::dims{ldb, 1}},
                    {{m, n}, memory::data_type::f32, memory::dims{ldc, 1}}) {}

  void run(const uint16_t* a, const uint16_t* b, float* c) {
    // oneDNN takes inputs as mutable, too; it does not write them.
    a_.set_data_handle(const_cast<uint16_t*>(a));
    b_.set_data_handle(const_cast<uint16_t*>(b));
    c_.set_data_handle(c);
    matmul_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  Bf16Product(const memory::desc& a, const memory::desc& b, const memory::desc& c)
      : stream_(cpu()),
        matmul_(describe(a, b, c)),
        a_(a, cpu(), nullptr),
        b_(b, cpu(), nullptr),
        c_(c, cpu(), nullptr),
        arguments_{{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}} {}

  static dnnl::matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b,
                                               const memory::desc& c) {
    dnnl::post_ops add;
    add.append_sum();
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(add);
#if DNNL_VERSION_MAJOR >= 3
    return {cpu(), a, b, c, attributes};
#else
    return {dnnl::matmul::desc(a, b, c), attributes, cpu()};
#endif
  }

  dnnl::stream stream_;
  dnnl::matmul matmul_;
  memory a_, b_, c_;
  std::unordered_map<int, memory> arguments_;
};

}  // namespace

void bf16_matmul(int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b,
                 int64_t ldb, float* c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  thread_local Kept<Bf16Product, 6> kept;
  try {
    kept.get({m, n, k, lda, ldb, ldc}, m, n, k, lda, ldb, ldc).run(a, b, c);
  } catch (const dnnl::error& error) {
    fail("oneDNN refused the matrix product [{}, {}]·[{}, {}] in bf16: {}", m, k, k, n,
         error.what());
  }
}

}  // namespace dsf::onednn
