// Whole training steps, in float32 and where the processor has it in bf16, and generated frames at
// the sizes of the configs. One line per work: name, median and fastest seconds, share of the limit
// that binds it (of the fastest; the limit is measured in the same run, in float32 for bf16, too),
// and how its time divides into ops.   model_bench [FILTER]
#include <fmt/format.h>

#include "bench/model_works.h"
#include "kernels/onednn/prepared_matmul.h"

using dsf::Precision;

/// The name of a work in bf16; empty where its products are not those that bf16 is for.
static std::string name_in_bf16(const std::string& name) {
  constexpr std::string_view kSteps = "train_step/";
  if (!name.starts_with(kSteps) || !dsf::onednn::has_bf16()) return "";
  return "bf16_step/" + name.substr(kSteps.size());
}

int main(int argc, char** argv) {
  dsf::bench::Filter filter(argc, argv);
  for (const dsf::bench::ModelWork& work : dsf::bench::model_works()) {
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      const bool bf16 = precision == Precision::bf16;
      const std::string name = bf16 ? name_in_bf16(work.name) : work.name;
      if (work.gpu_only || name.empty() || !filter.wants(name)) continue;
      const auto call = work.prepare({dsf::Device::cpu, nullptr, precision});
      dsf::bench::time_work(name, work.warmup, work.needs, call);
      dsf::bench::print_profile(call);
    }
  }
  return filter.exit_code("model_bench");
}
