#pragma once
// Everything that is wrong with a data set, not only the first of it.
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {

class Faults {
 public:
  void add(std::string text) { list_.push_back({std::move(text), false}); }
  /// Runs `work`; an Error that it raises becomes a fault, which begins with `where`.
  template <class Work>
  void collect(const std::string& where, const Work& work) {
    try {
      work();
    } catch (const UsageError& error) {
      list_.push_back({where + error.what(), true});
    } catch (const Error& error) {
      list_.push_back({where + error.what(), false});
    }
  }

  size_t count() const { return list_.size(); }
  std::vector<std::string> texts() const;
  /// Raises an Error that shows the first few and says how many there are, if there are any: a
  /// UsageError if all of them are.
  void fail_if_any() const;

 private:
  struct Fault {
    std::string text;
    bool usage;
  };
  std::vector<Fault> list_;
};

}  // namespace dsf
