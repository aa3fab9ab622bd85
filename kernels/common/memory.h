#pragma once
// Memory of the device that a context names, and copies between it and the host's. On the CPU both
// are the same kind.
#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "kernels/common/context.h"
#include "kernels/common/tensor.h"

namespace dsf {

/// Zeroed and aligned to 64 bytes at least. Where there is not so much: std::bad_alloc on the CPU,
/// an Error on a GPU.
void* allocate(const Context& ctx, size_t bytes);
void release(const Context& ctx, void* memory);

/// `to` is on the device. `from` has been read when this returns, and what is queued on the
/// context's stream from now on finds it there. Of more than 4 KiB it waits for what was queued
/// before.
void copy_to_device(const Context& ctx, void* to, const void* from, size_t bytes);
/// `from` is on the device; waits until all that was queued before is done.
void copy_to_host(const Context& ctx, void* to, const void* from, size_t bytes);

/// Behind what is queued on the device, without waiting; the two places must not overlap.
void copy_on_device(const Context& ctx, void* to, const void* from, size_t bytes);

/// Copies values of the host's to the whole of a tensor.
template <class T>
void upload(const Context& ctx, const TensorView<T>& to, const T* from) {
  copy_to_device(ctx, to.data, from, static_cast<size_t>(to.size()) * sizeof(T));
}

/// A tensor's values where the host can read them: the tensor itself on the CPU, a copy from a GPU.
/// Waits as copy_to_host does.
template <class T>
class HostValues {
 public:
  HostValues(const Context& ctx, const TensorView<const T>& tensor) : view_(tensor) {
    if (ctx.device == Device::cpu || !tensor) return;
    copy_.resize(static_cast<size_t>(tensor.size()));
    copy_to_host(ctx, copy_.data(), tensor.data, copy_.size() * sizeof(T));
    view_.data = copy_.data();
  }
  HostValues(const HostValues&) = delete;
  HostValues& operator=(const HostValues&) = delete;

  TensorView<const T> view() const { return view_; }
  const T* data() const { return view_.data; }

 private:
  std::vector<T> copy_;
  TensorView<const T> view_;
};
template <class T>
HostValues(const Context&, const TensorView<T>&) -> HostValues<std::remove_const_t<T>>;

}  // namespace dsf
