// Recomputes golden cases and prints how far this engine is from each quantity.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "apps/app.h"
#include "engine/check/quantity.h"
#include "kernels/common/checks.h"

namespace {

namespace fs = std::filesystem;
using dsf::Quantity;

struct Totals {
  int checked = 0, above = 0, not_checked = 0;
};

/// One line for each reason and kind of quantity: what is before the name's '/'.
void print_not_checked(const std::string& directory, const std::vector<Quantity>& quantities,
                       bool quiet, Totals& totals) {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> names;
  for (const Quantity& quantity : quantities) {
    if (quantity.checked()) continue;
    const std::string kind = quantity.name.substr(0, quantity.name.find('/'));
    names[{kind, quantity.not_checked}].push_back(quantity.name);
    ++totals.not_checked;
  }
  if (quiet) return;
  for (const auto& [key, group] : names) {
    const std::string what =
        group.size() == 1 ? group.front() : fmt::format("{}/ ({})", key.first, group.size());
    fmt::print("{} {}: {}\n", directory, what, key.second);
  }
}

void print(const std::string& directory, const Quantity& quantity, bool quiet, Totals& totals) {
  ++totals.checked;
  totals.above += !quantity.within();
  if (quiet && quantity.within()) return;
  fmt::print("{} {}: error {:.2e}, limit {:.0e}, {}\n", directory, quantity.name, quantity.error,
             quantity.limit, quantity.within() ? "ok" : "ABOVE");
}

/// False where nothing of it could be checked; the cases after it are.
bool check(const dsf::Context& ctx, const std::string& directory, bool quiet, Totals& totals) {
  const int checked_before = totals.checked;
  try {
    const std::vector<Quantity> quantities = dsf::check_case(ctx, directory);
    for (const Quantity& quantity : quantities) {
      if (quantity.checked()) print(directory, quantity, quiet, totals);
    }
    print_not_checked(directory, quantities, quiet, totals);
  } catch (const dsf::UsageError& error) {
    spdlog::error("{}", error.what());
  }
  return totals.checked > checked_before;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Recomputes golden cases and prints per quantity the relative error and its limit.",
               "dsf_check");
  dsf::CommonOptions common;
  std::vector<std::string> directories;
  std::string device = "cpu", precision = "fp32", convolutions = "own";
  app.add_option("CASE_DIR", directories,
                 "Folders with case.safetensors and checkpoint.pth or weights.pth")
      ->required();
  dsf::add_device_option(app, device);
  dsf::add_precision_option(app, precision);
  dsf::add_convolutions_option(app, convolutions);
  dsf::add_common_options(app, common,
                          "  dsf_check tests/data/transformer/rope_concat_tiny\n"
                          "  dsf_check tests/data/dac/*",
                          "0 all within their limits, 1 one above, else 2 where a case was "
                          "unusable or not supported yet");
  return dsf::run_app(app, argc, argv, common, [&] {
    const dsf::Context ctx = dsf::make_context(device, precision, convolutions);
    Totals totals;
    bool unusable_case = false;
    const bool any_folder = std::ranges::any_of(
        directories, [](const std::string& one) { return fs::is_directory(one); });
    for (const std::string& directory : directories) {
      if (any_folder && fs::is_regular_file(directory)) {  // as folder/* gives them, too
        if (!common.quiet) fmt::print("{}: a file, skipped\n", directory);
        continue;
      }
      unusable_case |= !check(ctx, directory, common.quiet, totals);
    }
    if (common.quiet && totals.above == 0) return unusable_case ? 2 : 0;
    fmt::print("{} quantities checked, {} above their limit, {} not checked\n", totals.checked,
               totals.above, totals.not_checked);
    if (totals.above > 0) return 1;
    return unusable_case ? 2 : 0;
  });
}
