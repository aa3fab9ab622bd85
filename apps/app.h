#pragma once
// What all programs share: common options, exit codes, messages.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "kernels/common/context.h"

namespace dsf {

/// Options that every program has.
struct CommonOptions {
  bool quiet = false;
  std::string log_level = "info";

  /// Whether more than warnings and errors is wanted: progress is.
  bool informs() const { return !quiet && (log_level == "info" || log_level == "debug"); }
};

/// Adds --version, --quiet and --log-level, and below the help text `examples` and what exit codes
/// mean.
void add_common_options(
    CLI::App& app, CommonOptions& options, const std::string& examples,
    const std::string& exit_codes = "0 done, 1 failed, 2 misused, 130 interrupted");

/// Adds --device, --precision and --convolutions, as make_context takes them.
void add_device_option(CLI::App& app, std::string& device);
void add_precision_option(CLI::App& app, std::string& precision);
void add_convolutions_option(CLI::App& app, std::string& convolutions);

/// Adds --seed: a whole number from 0 to 2^64 − 1, in plain decimals.
void add_seed_option(CLI::App& app, uint64_t& seed, const std::string& help);

/// A real number from `low` to `high`, of which CLI::Range lets pass what is not a number.
CLI::Validator real_from_to(double low, double high);

/// Lines as they are, what is in them printable: names of files may hold anything.
std::string printable_lines(std::string_view message);

/// Parses the arguments, runs `body` and gives the exit code: 0 done, 1 failed (dsf::Error and
/// anything else thrown, one line on standard error; or what was printed on standard output could
/// not be written), 2 misused (dsf::UsageError or arguments that do not parse). `body` gives its
/// own exit code where it has more to say.
int run_app(CLI::App& app, int argc, char** argv, const CommonOptions& options,
            const std::function<int()>& body);

/// The same for a program that can be asked to stop: `stop` is set by Ctrl-C (SIGINT), SIGTERM and
/// a terminal that closes (SIGHUP); a second one ends the program at once. Where the reader of a
/// log ends (SIGPIPE), the work goes on. Files are whole either way: they are renamed into place
/// when complete.
int run_stoppable_app(CLI::App& app, int argc, char** argv, const CommonOptions& options,
                      const std::function<int(const std::atomic<bool>& stop)>& body);

/// The exit code of a program that a signal asked to stop.
inline constexpr int kStoppedExitCode = 130;

}  // namespace dsf
