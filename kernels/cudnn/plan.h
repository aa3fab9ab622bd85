#pragma once
// cuDNN's plans: the kernels that it takes for a convolution. Made without a GPU, too, for one that
// is described, so that tests need none.
#include <cudnn.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cudnn/convolution.h"

namespace dsf::cudnn {

/// The library's functions. It is opened by whoever asks first.
struct Functions {
#define DSF_CUDNN_FUNCTIONS(name)                                                     \
  name(cudnnCreate) name(cudnnDestroy) name(cudnnSetStream) name(cudnnGetErrorString) \
      name(cudnnGetLastErrorString) name(cudnnBackendCreateDescriptor)                \
          name(cudnnBackendDestroyDescriptor) name(cudnnBackendSetAttribute)          \
              name(cudnnBackendGetAttribute) name(cudnnBackendFinalize) name(cudnnBackendExecute)
#define DSF_DECLARE(function) decltype(&::function) function = nullptr;
  DSF_CUDNN_FUNCTIONS(DSF_DECLARE)
#undef DSF_DECLARE
  std::string missing;  // what is not there; empty: all is

  Functions();
};
const Functions& functions();

/// Throws an Error that names the step and cuDNN's reason.
void check(cudnnStatus_t status, const char* step);

/// One of cuDNN's descriptors, destroyed with this.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  Descriptor(Descriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Descriptor();

  cudnnBackendDescriptor_t handle() const { return handle_; }

  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
           const std::vector<T>& values) {
    set_all(name, type, static_cast<int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T value) {
    set_all(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value.handle());
  }
  /// Up to `most` of an attribute's values.
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    values.resize(static_cast<size_t>(get_all(name, type, most, values.data())));
    return values;
  }
  /// Makes descriptors be an attribute's values; how many became one.
  int64_t fill(cudnnBackendAttributeName_t name,
               std::vector<cudnnBackendDescriptor_t> handles) const {
    return get_all(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(handles.size()),
                   handles.data());
  }

  void finalize() { check(try_finalize(), "finishing a description"); }
  cudnnStatus_t try_finalize();

 private:
  void set_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
               const void* values);
  int64_t get_all(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most,
                  void* values) const;

  cudnnBackendDescriptor_t handle_ = nullptr;
};

/// The GPU that plans are for: that of a handle or, without one, a GPU that cuDNN's JSON describes.
class Target {
 public:
  explicit Target(cudnnHandle_t handle) : handle_(handle) {}
  explicit Target(std::string_view json);

  /// Says it in the descriptions of a graph of operations, of a search for its engines, of a plan.
  void set_of_graph(Descriptor& graph) const;
  void set_of_search(Descriptor& search) const;
  void set_of_plan(Descriptor& plan) const;

 private:
  cudnnHandle_t handle_ = nullptr;
  std::optional<Descriptor> properties_;
};

/// The tensors of a plan as it is run.
enum TensorId : int64_t { kX = 1, kW, kY };

struct Plan {
  Descriptor descriptor;
  int64_t workspace_bytes;
  std::vector<cudnnBackendNumericalNote_t> notes;  // cuDNN's, of how it computes
};

/// The first of cuDNN's plans for it, in its order, that `can_convolve` means; none: it has none.
std::optional<Plan> find_plan(const Target& target, const Convolution& convolution,
                              Precision precision);

}  // namespace dsf::cudnn
