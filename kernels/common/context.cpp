#include "kernels/common/context.h"

#include "kernels/common/bf16_copies.h"
#include "kernels/common/checks.h"
#include "kernels/common/convolution.h"
#include "kernels/common/device_memory.h"
#include "kernels/cublaslt/matmul.h"
#include "kernels/cudnn/convolution.h"
#include "kernels/onednn/prepared_matmul.h"

namespace dsf {
namespace {

Device parse_device(std::string_view name) {
  if (name == "cpu") return Device::cpu;
  if (name != "cuda") fail_usage("--device {}: unknown device, expected cpu or cuda", name);
  if (!cuda::device_count) {
    fail_usage("--device cuda: this program was built without CUDA; available: cpu");
  }
  if (cuda::device_count() == 0) {
    fail_usage("--device cuda: CUDA finds no GPU that it can use; available: cpu");
  }
  const std::string lacks = cuda::device_lacks();
  if (!lacks.empty()) {
    fail_usage("--device cuda: the GPU that CUDA uses lacks {}; available: cpu", lacks);
  }
  return Device::cuda;
}

Precision parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    if (name == name_of(precision)) return precision;
  }
  fail_usage("--precision {}: unknown precision, expected fp32, tf32 or bf16", name);
}

Convolutions parse_convolutions(std::string_view name) {
  if (name == "own") return Convolutions::own;
  if (name == "cudnn") return Convolutions::cudnn;
  fail_usage("--convolutions {}: unknown, expected own or cudnn", name);
}

void require(Precision precision, Device device) {
  if (device == Device::cuda) return;
  if (precision == Precision::tf32) {
    fail_usage("--precision tf32: on a GPU only; the CPU computes in fp32 or bf16");
  }
  if (precision == Precision::bf16 && !onednn::has_bf16()) {
    fail_usage("--precision bf16: this processor does not multiply bf16 numbers; available: fp32");
  }
}

void require(Convolutions convolutions, Device device) {
  if (convolutions == Convolutions::own) return;
  if (device == Device::cpu) fail_usage("--convolutions cudnn: with --device cuda only");
  if (!cudnn::lacks) {
    fail_usage("--convolutions cudnn: this program was built without cuDNN; available: own");
  }
  const std::string lacks = cudnn::lacks();
  if (!lacks.empty()) fail_usage("--convolutions cudnn: {}; available: own", lacks);
}

}  // namespace

std::string_view name_of(Device device) {
  return device == Device::cpu ? "cpu" : "cuda";
}

std::string_view name_of(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::tf32:
      return "tf32";
    case Precision::bf16:
      return "bf16";
  }
  fail("precision number {}", static_cast<int>(precision));
}

Context make_context(std::string_view device, std::string_view precision,
                     std::string_view convolutions) {
  Context ctx;
  ctx.precision = parse_precision(precision);
  ctx.convolutions = parse_convolutions(convolutions);
  ctx.device = parse_device(device);
  require(ctx.precision, ctx.device);
  require(ctx.convolutions, ctx.device);
  if (ctx.device == Device::cuda) {
    ctx.stream = cuda::create_stream();
    ctx.owner = {ctx.stream, [](void* stream) {
                   if (cublaslt::release_workspace) cublaslt::release_workspace(stream);
                   if (cudnn::release) cudnn::release(stream);
                   if (cuda::release_bf16_memory) cuda::release_bf16_memory(stream);
                   if (cuda::release_cudnn_memory) cuda::release_cudnn_memory(stream);
                   cuda::release_stream(stream);
                 }};
  }
  return ctx;
}

}  // namespace dsf
