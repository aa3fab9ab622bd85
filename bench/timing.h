#pragma once
// How the benches of whole works measure and print.
#include <functional>
#include <string>
#include <string_view>

namespace dsf::bench {

/// Operations and bytes that a piece of work cannot do without.
struct Needs {
  double flops = 0, bytes = 0;
};

/// Calls `work` for five seconds, at least five times, and prints a line: name, median and fastest
/// seconds, share of the limit that binds it (of the fastest), and the limits, which are measured
/// before and after it. On a machine that is busy with other things none of this means anything; a
/// share above 100 % shows that it was. A call of `work` does `units` units of it; seconds are
/// given for one.
void time_work(const std::string& name, int warmup, const Needs& needs,
               const std::function<void()>& work, double units = 1);

/// Calls `work` once more and prints, as comments, which ops its time went to, the longest first.
void print_profile(const std::function<void()>& work);

/// The works that a command line asks for: those whose name contains its first argument.
class Filter {
 public:
  /// Of a program's only argument, a part of works' names; "" takes all. Ends the program where it
  /// is an option instead: with its usage, exit code 0 for --help, else 2.
  Filter(int argc, char** argv);

  bool wants(const std::string& name);
  /// 0, or 2 (and a line on standard error) if no work's name fitted.
  int exit_code(std::string_view program) const;

 private:
  std::string part_;
  int wanted_ = 0;
};

}  // namespace dsf::bench
