#include "tests/simt/host_access.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "tests/simt/code_place.h"
#include "tests/simt/memory.h"
#include "tests/simt/scheduler.h"
#include "tests/simt/stacks.h"

namespace dsf::simt {
namespace {

// The program dies anyway, of an error of its own: what a signal handler must not do (allocate,
// format) is at worst another way to die.
void explain(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const Launch* launch = current_launch();
  const bool in_kernel = launch && launch->running();
  watching = false;
  std::string text;
  if (device_memory().contains(address)) {
    text = fmt::format("the {} touched memory of the simulated device: {}\n",
                       in_kernel ? "kernel, in code that is not instrumented," : "host",
                       device_memory().describe(address));
  } else if (in_kernel && stack_owner(address) >= 0) {
    text = "a thread's stack overflowed: too many local variables\n";
  }
  if (in_kernel) text += "  " + launch->place(*launch->running()) + "\n";
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) text.clear();
  std::signal(signal, SIG_DFL);  // on return the access is repeated, and ends the program
}

}  // namespace

void explain_host_accesses() {
  static const bool installed = [] {
    static std::array<char, 64 * 1024> stack;  // the faulting thread's own may be full
    stack_t alternative{};
    alternative.ss_sp = stack.data();
    alternative.ss_size = stack.size();
    sigaltstack(&alternative, nullptr);
    struct sigaction action {};
    action.sa_sigaction = explain;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    return sigaction(SIGSEGV, &action, nullptr) == 0;
  }();
  static_cast<void>(installed);
}

}  // namespace dsf::simt
