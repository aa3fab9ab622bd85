#include "apps/app.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

std::atomic<bool> stop_requested{false};

void request_stop(int signal) {
  stop_requested = true;
  std::signal(signal, SIG_DFL);
}

/// Line by line, as some messages have several; names of files in them may hold anything.
int report(const std::string& program, std::string_view message, int exit_code) {
  std::string text;
  for (size_t begin = 0; begin <= message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    text += (begin > 0 ? "\n" : "") + printable(message.substr(begin, end - begin));
    begin = end + 1;
  }
  spdlog::error("{}: {}", program, text);
  return exit_code;
}

}  // namespace

void add_common_options(CLI::App& app, CommonOptions& options, const std::string& examples) {
  app.set_version_flag("--version", std::string("dsf ") + DSF_VERSION);
  app.add_flag("--quiet", options.quiet, "Print warnings and errors only");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.footer("Examples:\n" + examples);
}

void add_device_option(CLI::App& app, std::string& device) {
  app.add_option("--device", device, "Where to compute: cpu or cuda")->capture_default_str();
}

void add_precision_option(CLI::App& app, std::string& precision) {
  app.add_option("--precision", precision,
                 "Of matrix products: fp32, or with --device cuda tf32 or bf16")
      ->capture_default_str();
}

int run_app(CLI::App& app, int argc, char** argv, const CommonOptions& options,
            const std::function<int()>& body) {
  const auto logger = spdlog::stderr_color_mt("dsf");
  logger->set_pattern("%^%v%$");
  spdlog::set_default_logger(logger);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;  // --help and --version end here too
  }
  spdlog::set_level(options.quiet ? spdlog::level::warn
                                  : spdlog::level::from_str(options.log_level));
  const std::string& program = app.get_name();
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

const std::atomic<bool>& stop_on_signals() {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  return stop_requested;
}

}  // namespace dsf
