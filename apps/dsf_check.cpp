// Recomputes golden cases and prints how far this engine is from each quantity.
#include <fmt/format.h>

#include "apps/app.h"
#include "engine/check/quantity.h"
#include "kernels/common/checks.h"

namespace {

using dsf::Quantity;

struct Totals {
  int checked = 0, above = 0, not_checked = 0;
};

void print(const std::string& directory, const Quantity& quantity, Totals& totals) {
  if (!quantity.checked()) {
    ++totals.not_checked;
    fmt::print("{} {}: {}\n", directory, quantity.name, quantity.not_checked);
    return;
  }
  ++totals.checked;
  totals.above += !quantity.within();
  fmt::print("{} {}: error {:.2e}, limit {:.0e}, {}\n", directory, quantity.name, quantity.error,
             quantity.limit, quantity.within() ? "ok" : "ABOVE");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Recomputes golden cases and prints per quantity the relative error and its limit.",
               "dsf_check");
  dsf::CommonOptions common;
  std::vector<std::string> directories;
  std::string device = "cpu", precision = "fp32";
  app.add_option("CASE_DIR", directories,
                 "Folders with case.safetensors and checkpoint.pth or weights.pth")
      ->required();
  dsf::add_device_option(app, device);
  dsf::add_precision_option(app, precision);
  dsf::add_common_options(app, common,
                          "  dsf_check tests/data/transformer/rope_concat_tiny\n"
                          "  dsf_check tests/data/dac/*\n"
                          "Exit code: 0 all within their limits, 1 one above, 2 unusable or not "
                          "supported yet");
  return dsf::run_app(app, argc, argv, common, [&] {
    const dsf::Context ctx = dsf::make_context(device, precision);
    Totals totals;
    bool unusable_case = false;
    for (const std::string& directory : directories) {
      const int checked_before = totals.checked;
      for (const Quantity& quantity : dsf::check_case(ctx, directory)) {
        print(directory, quantity, totals);
      }
      unusable_case |= totals.checked == checked_before;
    }
    fmt::print("{} quantities checked, {} above their limit, {} not checked\n", totals.checked,
               totals.above, totals.not_checked);
    if (totals.above > 0) return 1;
    return unusable_case ? 2 : 0;
  });
}
