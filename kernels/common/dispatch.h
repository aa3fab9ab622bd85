#pragma once
// The only place that picks a backend.
#include "kernels/common/checks.h"
#include "kernels/common/context.h"
#include "kernels/common/profile.h"
#include "kernels/common/tensor.h"

/// Declares an op: the function that callers use (it checks its arguments, then dispatches) and the
/// backends' functions of the same signature behind it. The first parameter is the Context.
/// CUDA forms are declared weak: a program has those that are linked into it, those of nvcc or of
/// the simulation (tests/simt), or none; where one is missing its address is null.
#define DSF_OP(...)          \
  __VA_ARGS__;               \
  namespace cpu {            \
  __VA_ARGS__;               \
  }                          \
  namespace cuda {           \
  [[gnu::weak]] __VA_ARGS__; \
  }

namespace dsf {

/// An op was asked to run on a device for which it has no form in this program.
class MissingForm : public Error {
 public:
  using Error::Error;
};

namespace detail {
/// Throws MissingForm, which says whether the op or the whole program is without CUDA.
[[noreturn]] void fail_without_cuda_form(const char* function);
}  // namespace detail

}  // namespace dsf

/// Calls the backend's `function` of the device in `ctx`, inside a profiling range of that name.
#define DSF_DISPATCH(function, ctx, ...)                                              \
  do {                                                                                \
    const ::dsf::ProfileRange range(#function);                                       \
    switch ((ctx).device) {                                                           \
      case ::dsf::Device::cpu:                                                        \
        ::dsf::cpu::function(ctx, __VA_ARGS__);                                       \
        break;                                                                        \
      case ::dsf::Device::cuda:                                                       \
        if (!::dsf::cuda::function) ::dsf::detail::fail_without_cuda_form(#function); \
        ::dsf::cuda::function(ctx, __VA_ARGS__);                                      \
    }                                                                                 \
  } while (false)
