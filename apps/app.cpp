#include "apps/app.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <limits>
#include <thread>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP};
std::atomic<bool> stop_requested{false};

/// Waits for one of `signals`, which all threads block, and asks for a stop; the next of any of
/// them ends the program.
void wait_for_stop(sigset_t signals) {
  int first = 0;
  sigwait(&signals, &first);
  stop_requested = true;
  for (const int signal : kStopSignals) {
    if (sigismember(&signals, signal) == 1) std::signal(signal, SIG_DFL);
  }
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  for (;;) pause();
}

/// Called before there are other threads, which have the signals blocked, too: where one had not, a
/// signal would end the program. A thread waits, where a handler would interrupt one that computes:
/// when that was in oneDNN's sgemm with one thread, the heap was destroyed in 8 of 25 runs. Its
/// compiled kernels have other uses for the stack pointer, it seems, below which the system puts
/// what a handler returns to.
void stop_on_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : kStopSignals) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    // nohup has SIGHUP ignored, and that is to stay.
    if (signal != SIGHUP || now.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(wait_for_stop, signals).detach();
}

int report(const std::string& program, std::string_view message, int exit_code) {
  spdlog::error("{}: {}", program, printable_lines(message));
  return exit_code;
}

/// "; expected a whole number" for the option that the error says could not be converted.
std::string expected_value(const CLI::App& app, std::string_view error) {
  for (const CLI::Option* option : app.get_options()) {
    if (!error.starts_with("Could not convert: " + option->get_name() + " =")) continue;
    const std::string type = option->get_type_name();
    if (type == "UINT") return "; expected a whole number from 0";
    if (type == "INT") return "; expected a whole number";
    if (type == "FLOAT") return "; expected a number";
  }
  std::string expected;
  for (const CLI::App* command : app.get_subcommands()) expected += expected_value(*command, error);
  return expected;
}

/// "; expected one of encode, decode" where `word` stands in a subcommand's place.
std::string expected_command(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-')) return "";
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty() || !app.get_subcommands().empty()) return "";
  std::vector<std::string> names;
  std::ranges::transform(commands, std::back_inserter(names),
                         [](const CLI::App* command) { return command->get_name(); });
  return fmt::format("; expected one of {}", fmt::join(names, ", "));
}

/// --help and --version end here too. A word that nothing knows is named before what is missing: it
/// is, misspelt, what seems to be missing.
int explain(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);
  const std::vector<std::string> unknown = app.remaining(true);
  const std::string expected = expected_value(app, error.what());
  if (!unknown.empty()) {  // backwards, as the error turns them round
    const CLI::ExtrasError extras(app.get_name(), {unknown.rbegin(), unknown.rend()});
    app.exit(CLI::ConversionError(extras.what() + expected_command(app, unknown.front())));
  } else if (!expected.empty()) {
    app.exit(CLI::ConversionError(error.what() + expected));
  } else {
    app.exit(error);
  }
  return 2;
}

int run_body(const std::string& program, const std::function<int()>& body) {
  try {
    return body();
  } catch (const UsageError& error) {
    return report(program, error.what(), 2);
  } catch (const std::bad_alloc&) {
    return report(program, "out of memory", 1);
  } catch (const std::exception& error) {
    return report(program, error.what(), 1);
  }
}

/// A standard stream that the caller closed would be the next file opened: messages would go into
/// it. Open for reading, the null device refuses what is printed to it.
void open_closed_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) < 0) open("/dev/null", O_RDONLY);  // takes the lowest free one
  }
}

/// What a program prints is its result: it is not done before all of that is written. Log lines on
/// standard error are not.
int finish_output(const std::string& program, int exit_code) {
  const bool written = std::cout.flush() && std::fflush(stdout) == 0;
  const std::string reason = std::strerror(errno);
  if (written && std::ferror(stdout) == 0) return exit_code;
  const int failed = report(program, "standard output could not be written: " + reason, exit_code);
  return failed == 0 ? 1 : failed;
}

}  // namespace

std::string printable_lines(std::string_view message) {
  std::string text;
  for (size_t begin = 0; begin <= message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    text += (begin > 0 ? "\n" : "") + printable(message.substr(begin, end - begin));
    begin = end + 1;
  }
  return text;
}

void add_common_options(CLI::App& app, CommonOptions& options, const std::string& examples,
                        const std::string& exit_codes) {
  app.set_version_flag("--version", std::string("dsf ") + DSF_VERSION);
  app.add_flag("--quiet", options.quiet, "Print warnings and errors only, and no progress");
  app.add_option("--log-level", options.log_level,
                 "The least that is said: debug, info, warning or error; progress is info")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.footer("Examples:\n" + examples + "\nExit code: " + exit_codes);
}

void add_device_option(CLI::App& app, std::string& device) {
  app.add_option("--device", device, "Where to compute: cpu or cuda")->capture_default_str();
}

void add_precision_option(CLI::App& app, std::string& precision) {
  app.add_option("--precision", precision,
                 "Of matrix products: fp32, bf16 or, with --device cuda, tf32")
      ->capture_default_str();
}

void add_convolutions_option(CLI::App& app, std::string& convolutions) {
  app.add_option("--convolutions", convolutions,
                 "The codec's with --device cuda: own kernels, or cudnn where it has a plan")
      ->capture_default_str();
}

void add_seed_option(CLI::App& app, uint64_t& seed, const std::string& help) {
  const auto read = [](const std::string& text, uint64_t& number) {
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && rest == end;
  };
  const auto check = [read](const std::string& text) -> std::string {
    uint64_t number = 0;
    if (read(text, number)) return {};
    return fmt::format("{}: expected a whole number from 0 to {}", quote(text),
                       std::numeric_limits<uint64_t>::max());
  };
  const auto set = [read, &seed](const std::string& text) { read(text, seed); };
  app.add_option_function<std::string>("--seed", set, help)
      ->default_str(std::to_string(seed))
      ->check(CLI::Validator(check, "UINT"));
}

CLI::Validator real_from_to(double low, double high) {
  const auto check = [low, high](const std::string& text) -> std::string {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (!text.empty() && *end == '\0' && value >= low && value <= high) return {};
    return fmt::format("{}: expected a number from {} to {}", quote(text), low, high);
  };
  return {check, fmt::format("FLOAT in [{} - {}]", low, high)};
}

int run_app(CLI::App& app, int argc, char** argv, const CommonOptions& options,
            const std::function<int()>& body) {
  open_closed_streams();
  const auto logger = spdlog::stderr_color_mt("dsf");
  logger->set_pattern("%^%v%$");
  spdlog::set_default_logger(logger);
  const std::string& program = app.get_name();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return finish_output(program, explain(app, error));
  }
  const auto level = spdlog::level::from_str(options.log_level);
  spdlog::set_level(options.quiet ? std::max(level, spdlog::level::warn) : level);
  return finish_output(program, run_body(program, body));
}

int run_stoppable_app(CLI::App& app, int argc, char** argv, const CommonOptions& options,
                      const std::function<int(const std::atomic<bool>& stop)>& body) {
  return run_app(app, argc, argv, options, [&] {
    stop_on_signals();
    return body(stop_requested);
  });
}

}  // namespace dsf
