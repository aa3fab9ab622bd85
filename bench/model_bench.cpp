// Whole training steps and generated frames at the sizes of the configs. One line per work: name,
// median and fastest seconds, share of the limit that binds it (of the fastest; the limit is
// measured in the same run), and how its time divides into ops.   model_bench [FILTER]
#include "bench/model_works.h"

int main(int argc, char** argv) {
  dsf::bench::Filter filter(argc, argv);
  for (const dsf::bench::ModelWork& work : dsf::bench::model_works()) {
    if (work.gpu_only || !filter.wants(work.name)) continue;
    const auto call = work.prepare(dsf::Context{});
    dsf::bench::time_work(work.name, work.warmup, work.needs, call);
    dsf::bench::print_profile(call);
  }
  return filter.exit_code("model_bench");
}
