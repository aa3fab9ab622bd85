// losses.csv, as a resumed run reads it.
#include "engine/training/loss_history.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".csv");
  const auto& path = input.write(dsf::fuzz::text_of(data, size));
  dsf::fuzz::may_refuse([&] {
    for (const dsf::Evaluation& one : dsf::read_loss_history(path, 10)) {
      if (one.epoch < 1 || one.epoch > 10) std::abort();
    }
  });
  return 0;
}
