#pragma once
// NVIDIA's libraries are opened when they are asked for and not linked: programs that were built
// with nvcc also run, on the CPU, where there is no CUDA.
#include <dlfcn.h>
#include <fmt/format.h>

#include <string>
#include <utility>

namespace dsf::cuda {

class CudaLibrary {
 public:
  explicit CudaLibrary(std::string name) : name_(std::move(name)) {
    library_ = dlopen(name_.c_str(), RTLD_NOW);
    if (!library_) library_ = dlopen(("/usr/local/cuda/lib64/" + name_).c_str(), RTLD_NOW);
    if (!library_) {
      lacks_ = fmt::format(
          "{} is neither in the loader's path (LD_LIBRARY_PATH) nor in /usr/local/cuda/lib64",
          name_);
    }
  }

  /// Sets `found` to the function of that name.
  template <class Function>
  void find(const char* function, Function& found) {
    if (!library_) return;
    found = reinterpret_cast<Function>(dlsym(library_, function));
    if (!found) lacks_ = fmt::format("{} has no function {}", name_, function);
  }

  /// What was not found; empty: all was.
  const std::string& lacks() const { return lacks_; }

 private:
  std::string name_, lacks_;
  void* library_ = nullptr;
};

}  // namespace dsf::cuda
