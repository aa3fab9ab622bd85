#pragma once
// The only place that picks a backend.
#include "kernels/common/checks.h"
#include "kernels/common/context.h"
#include "kernels/common/profile.h"
#include "kernels/common/tensor.h"

/// Declares an op: the function that callers use (it checks its arguments, then dispatches) and the
/// backends' functions of the same signature behind it. The first parameter is the Context.
#define DSF_OP(...) \
  __VA_ARGS__;      \
  namespace cpu {   \
  __VA_ARGS__;      \
  }

/// Calls the backend's `function` of the device in `ctx`, inside a profiling range of that name.
#define DSF_DISPATCH(function, ctx, ...)               \
  do {                                                 \
    const ::dsf::ProfileRange range(#function);        \
    switch ((ctx).device) {                            \
      case ::dsf::Device::cpu:                         \
        ::dsf::cpu::function(ctx, __VA_ARGS__);        \
        break;                                         \
      case ::dsf::Device::cuda:                        \
        ::dsf::fail("{}: no CUDA backend", #function); \
    }                                                  \
  } while (false)
