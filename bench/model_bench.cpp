// Whole training steps, in float32 and where the processor has it in bf16, and generated frames at
// the sizes of the configs. One line per work: name, median and fastest seconds, share of the limit
// that binds it (of the fastest; the limit is measured in the same run, in float32 for bf16, too),
// and how its time divides into ops.   model_bench [FILTER]
#include <fmt/format.h>

#include "bench/model_works.h"
#include "kernels/onednn/prepared_matmul.h"

using dsf::Precision;

/// Whether a work's products are those that bf16 is for.
static bool runs_in(Precision precision, const dsf::bench::ModelWork& work) {
  return precision == Precision::fp32 ||
         (work.name.starts_with("train_step/") && dsf::onednn::has_bf16());
}

int main(int argc, char** argv) {
  dsf::bench::Filter filter(argc, argv);
  for (const dsf::bench::ModelWork& work : dsf::bench::model_works()) {
    for (const Precision precision : {Precision::fp32, Precision::bf16}) {
      if (work.gpu_only || !runs_in(precision, work)) continue;
      const std::string name = work.name + (precision == Precision::bf16 ? "/bf16" : "");
      if (!filter.wants(name)) continue;
      const auto call = work.prepare({dsf::Device::cpu, nullptr, precision});
      dsf::bench::time_work(name, work.warmup, work.needs, call);
      dsf::bench::print_profile(call);
    }
  }
  return filter.exit_code("model_bench");
}
