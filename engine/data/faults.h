#pragma once
// Everything that is wrong with a data set, not only the first of it.
#include <cstddef>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/checks.h"

namespace dsf {

class Faults {
 public:
  void add(std::string text) { list_.push_back({std::move(text), false}); }
  /// Runs `work`; an Error that it raises becomes a fault, which begins with `where`, and so do
  /// what the file system refuses and the end of memory.
  template <class Work>
  void collect(const std::string& where, const Work& work) {
    try {
      work();
    } catch (const UsageError& error) {
      list_.push_back({where + error.what(), true});
    } catch (const Error& error) {
      list_.push_back({where + error.what(), false});
    } catch (const std::filesystem::filesystem_error& error) {
      list_.push_back({where + error.what(), false});
    } catch (const std::bad_alloc&) {
      list_.push_back({where + "out of memory", false});
    }
  }

  size_t count() const { return list_.size(); }
  std::vector<std::string> texts() const;
  /// Raises an Error that shows the first `shown` and says how many there are and how to see all of
  /// them, if there are any: a UsageError if all of them are.
  void fail_if_any(size_t shown = 5,
                   std::string_view advice = " (dsf_train --dry-run shows all)") const;

 private:
  struct Fault {
    std::string text;
    bool usage;
  };
  std::vector<Fault> list_;
};

}  // namespace dsf
