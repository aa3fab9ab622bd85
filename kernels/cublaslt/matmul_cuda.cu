#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "kernels/common/cuda_library.h"
#include "kernels/common/launch.h"
#include "kernels/common/stream_buffers.h"
#include "kernels/cublaslt/matmul.h"

namespace dsf::cublaslt {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what cuBLAS recommends for Hopper

/// The library's functions. It is opened by the first product.
struct Functions {
#define DSF_CUBLASLT_FUNCTIONS(name)                                                      \
  name(cublasLtCreate) name(cublasLtGetStatusString) name(cublasLtMatmul)                 \
      name(cublasLtMatmulAlgoGetHeuristic) name(cublasLtMatmulDescCreate)                 \
          name(cublasLtMatmulDescDestroy) name(cublasLtMatmulDescSetAttribute)            \
              name(cublasLtMatmulAlgoConfigGetAttribute) name(cublasLtMatrixLayoutCreate) \
                  name(cublasLtMatrixLayoutDestroy) name(cublasLtMatmulPreferenceCreate)  \
                      name(cublasLtMatmulPreferenceDestroy)                               \
                          name(cublasLtMatmulPreferenceSetAttribute)
#define DSF_DECLARE(function) decltype(&::function) function = nullptr;
  DSF_CUBLASLT_FUNCTIONS(DSF_DECLARE)
#undef DSF_DECLARE

  Functions() {
    cuda::CudaLibrary library(fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR));
#define DSF_FIND(function) library.find(#function, function);
    DSF_CUBLASLT_FUNCTIONS(DSF_FIND)
#undef DSF_FIND
#undef DSF_CUBLASLT_FUNCTIONS
    if (const std::string& lacks = library.lacks(); !lacks.empty()) {
      fail("{}; matrix products on a GPU need it", lacks);
    }
  }
};

const Functions& lt() {
  static const Functions functions;
  return functions;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail("cuBLASLt, {}: {}", what, lt().cublasLtGetStatusString(status));
}

/// One of cuBLASLt's objects, destroyed with this by one of its functions.
template <class Handle, auto Functions::*destroy>
class Owned {
 public:
  /// `create` is cuBLASLt's: it gives the object by a pointer to it.
  template <class Create>
  explicit Owned(const Create& create) {
    check(create(&handle_), "creating a descriptor");
  }
  ~Owned() { (lt().*destroy)(handle_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  operator Handle() const { return handle_; }

 private:
  Handle handle_{};
};
using Operation = Owned<cublasLtMatmulDesc_t, &Functions::cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, &Functions::cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, &Functions::cublasLtMatmulPreferenceDestroy>;

cublasComputeType_t compute_type(Precision precision, bool rounded) {
  if (rounded) return CUBLAS_COMPUTE_32F;  // products of bf16 numbers, exact in float32
  switch (precision) {
    case Precision::fp32:
      return CUBLAS_COMPUTE_32F;
    case Precision::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
  }
  fail("precision number {}", static_cast<int>(precision));
}

/// The largest power of two, up to 256, that divides an address.
uint32_t alignment(const void* address) {
  const auto place = reinterpret_cast<uintptr_t>(address);
  uint32_t bytes = 256;
  while (place % bytes != 0) bytes /= 2;
  return bytes;
}

/// A matrix as cuBLASLt is to read it.
struct Operand {
  const void* data;
  int64_t leading;
  cudaDataType_t type;

  Operand(const float* source, int64_t source_leading, const Rounded& copy)
      : data(copy.data ? copy.data : source),
        leading(copy.data ? copy.leading : source_leading),
        type(copy.data ? CUDA_R_16BF : CUDA_R_32F) {}
};

Operand operand_a(const Product& p) {
  return {p.a, p.lda, p.a_rounded};
}
Operand operand_b(const Product& p) {
  return {p.b, p.ldb, p.b_rounded};
}
bool is_rounded(const Product& p) {
  return p.a_rounded.data && p.b_rounded.data;
}
Product without_copies(Product p) {
  p.a_rounded = p.b_rounded = {};
  return p;
}

/// All that the choice of an algorithm depends on.
using Key = std::array<int64_t, 20>;

Key key_of(const Context& ctx, const Product& p) {
  const Operand a = operand_a(p), b = operand_b(p);
  return {static_cast<int64_t>(ctx.precision),
          p.transpose_a == Transpose::yes,
          p.transpose_b == Transpose::yes,
          p.m,
          p.n,
          p.k,
          a.type,
          a.leading,
          b.type,
          b.leading,
          p.ldc,
          p.keep != 0.0F,
          p.bias != nullptr,
          p.bias ? alignment(p.bias) : 0,
          p.relu,
          p.a_sums != nullptr,
          p.a_sums ? alignment(p.a_sums) : 0,
          alignment(a.data),
          alignment(b.data),
          alignment(p.c)};
}

/// A product as cuBLASLt sees it. It counts columns first, so a row-major matrix is the transpose
/// of what it takes it for: Cᵀ = Bᵀ·Aᵀ is computed, with B in the place of its A.
struct Call {
  Operation operation;
  Layout b, a, c;

  Call(const Context& ctx, const Product& p)
      : operation([&](cublasLtMatmulDesc_t* made) {
          return lt().cublasLtMatmulDescCreate(made, compute_type(ctx.precision, is_rounded(p)),
                                               CUDA_R_32F);
        }),
        b(layout(p.transpose_b, p.k, p.n, operand_b(p))),
        a(layout(p.transpose_a, p.m, p.k, operand_a(p))),
        c(layout(Transpose::no, p.m, p.n, {p.c, p.ldc, {}})) {
    set(CUBLASLT_MATMUL_DESC_TRANSA, letter(p.transpose_b));
    set(CUBLASLT_MATMUL_DESC_TRANSB, letter(p.transpose_a));
    if (p.a_sums) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BGRADB);  // B: see above
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.a_sums);
    }
    if (p.relu) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU);
    if (!p.bias) return;
    set(CUBLASLT_MATMUL_DESC_EPILOGUE,
        p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS);
    set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  }

 private:
  static cublasOperation_t letter(Transpose transpose) {
    return transpose == Transpose::yes ? CUBLAS_OP_T : CUBLAS_OP_N;
  }
  /// Of a row-major matrix [rows, cols], or of one that is stored transposed.
  static Layout layout(Transpose transpose, int64_t rows, int64_t cols, const Operand& matrix) {
    if (transpose == Transpose::yes) std::swap(rows, cols);
    return Layout([=](cublasLtMatrixLayout_t* made) {
      return lt().cublasLtMatrixLayoutCreate(made, matrix.type, static_cast<uint64_t>(cols),
                                             static_cast<uint64_t>(rows), matrix.leading);
    });
  }
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    check(lt().cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value),
          "describing a product");
  }
};

cuda::StreamBuffers& workspaces() {
  static auto* buffers = new cuda::StreamBuffers;  // outlives all that may still be queued
  return *buffers;
}

/// The library, and the algorithms found so far.
class Library {
 public:
  static Library& get() {
    static auto* library = new Library;  // outlives all that may still be queued
    return *library;
  }

  void run(const Context& ctx, const Product& p) {
    Algorithm algorithm;
    {
      const std::lock_guard lock(mutex_);
      algorithm = algorithm_for(ctx, p);
    }
    if (!algorithm) {
      if (is_rounded(p)) return run(ctx, without_copies(p));
      fail("cuBLASLt has no algorithm for the product [{}, {}]·[{}, {}]", p.m, p.k, p.k, p.n);
    }
    const Call call(ctx, p);
    const float one = 1;
    void* workspace = workspaces().of(ctx, kWorkspaceBytes);
    check(lt().cublasLtMatmul(handle_, call.operation, &one, operand_b(p).data, call.b,
                              operand_a(p).data, call.a, &p.keep, p.c, call.c, p.c, call.c,
                              &*algorithm, workspace, kWorkspaceBytes, cuda::stream_of(ctx)),
          "a product");
  }

  bool has_algorithm(const Context& ctx, const Product& p) {
    const std::lock_guard lock(mutex_);
    return algorithm_for(ctx, p).has_value();
  }

  /// Without an algorithm that splits the sums at least as often as the plain product's, which then
  /// has more blocks to run at once, what the sums save is lost and more.
  bool can_sum(const Context& ctx, const Product& p) {
    const std::lock_guard lock(mutex_);
    const Algorithm& summing = algorithm_for(ctx, p);
    if (!summing) return false;
    Product plain = p;
    plain.a_sums = nullptr;
    const Algorithm& usual = algorithm_for(ctx, plain);
    return !usual || splits(*summing) >= splits(*usual);
  }

 private:
  using Algorithm = std::optional<cublasLtMatmulAlgo_t>;  // none where cuBLASLt has none

  Library() { check(lt().cublasLtCreate(&handle_), "starting"); }

  static int splits(const cublasLtMatmulAlgo_t& algorithm) {
    int32_t count = 0;
    size_t written = 0;
    check(lt().cublasLtMatmulAlgoConfigGetAttribute(&algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM,
                                                    &count, sizeof count, &written),
          "asking how a sum is split");
    return std::max(count, 1);
  }

  const Algorithm& algorithm_for(const Context& ctx, const Product& p) {
    const Key key = key_of(ctx, p);
    const auto known = algorithms_.find(key);
    if (known != algorithms_.end()) return known->second;
    const Call call(ctx, p);
    const Preference preference(lt().cublasLtMatmulPreferenceCreate);
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      check(lt().cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
            "stating a preference");
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspaceBytes});
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(operand_b(p).data));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(operand_a(p).data));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(p.c));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(p.c));
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    const cublasStatus_t status = lt().cublasLtMatmulAlgoGetHeuristic(
        handle_, call.operation, call.b, call.a, call.c, call.c, preference, 1, &result, &found);
    // A caller does without sums, and `run` without copies, where there is no such product; nowhere
    // else, as another order of summation would be other bits.
    const bool none = (p.a_sums || is_rounded(p)) && status == CUBLAS_STATUS_NOT_SUPPORTED;
    if (!none) check(status, "looking for an algorithm");
    const bool has = !none && found > 0 && result.state == CUBLAS_STATUS_SUCCESS;
    return algorithms_.emplace(key, has ? Algorithm(result.algo) : Algorithm()).first->second;
  }

  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;
  std::map<Key, Algorithm> algorithms_;
};

}  // namespace

void matmul(const Context& ctx, const Product& product) {
  if (product.m == 0 || product.n == 0) return;
  Library::get().run(ctx, product);
}

bool can_sum(const Context& ctx, const Product& product) {
  return product.m > 0 && product.n > 0 && sums_fit_vectors(product) &&
         Library::get().can_sum(ctx, product);
}

bool takes_copies(const Context& ctx, const Product& product) {
  return Library::get().has_algorithm(ctx, product);
}

// An H100's rates at the sizes of a training step (bench/results/gpu_h100.md). TF32 has fast
// kernels where both operands have the summed dimension innermost, and so has FAST_16BF; bf16 in
// every order.
bool worth_rounding(std::initializer_list<const Product*> products, int64_t elements) {
  constexpr double kTf32 = 240e12, kTf32Transposed = 135e12, kBf16 = 450e12;  // FLOP/s
  constexpr double kLaunch = 2e-6, kBandwidth = 3e12;                         // s, bytes/s
  double saved = 0;
  for (const Product* p : products) {
    const bool innermost = p->transpose_a == Transpose::no && p->transpose_b == Transpose::yes;
    const double flops =
        2 * static_cast<double>(p->m) * static_cast<double>(p->n) * static_cast<double>(p->k);
    saved += flops / (innermost ? kTf32 : kTf32Transposed) - flops / kBf16;
  }
  const double bytes = static_cast<double>(elements) * (sizeof(float) + sizeof(__nv_bfloat16));
  return saved > kLaunch + bytes / kBandwidth;
}

void release_workspace(void* stream) noexcept {
  workspaces().release(stream);
}

}  // namespace dsf::cublaslt
