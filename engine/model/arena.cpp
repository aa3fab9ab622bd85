#include "engine/model/arena.h"

#include <utility>

namespace dsf {

/// Where all buffers that are only counted lie: they are not null, as an absent one is.
alignas(64) static std::byte counted_place[64];

void* Arena::buffer(const std::string& name, int64_t bytes) {
  const auto found = positions_.find(name);
  if (found != positions_.end()) {
    DSF_CHECK(bytes <= entries_[found->second].bytes, "buffer '{}' holds {} bytes, asked for {}",
              name, entries_[found->second].bytes, bytes);
    return memory_ == Memory::counted ? counted_place : buffers_[found->second].get();
  }
  Buffer made(nullptr, Release{ctx_});
  if (memory_ == Memory::held) made.reset(allocate(ctx_, static_cast<size_t>(bytes)));
  positions_[name] = entries_.size();
  entries_.push_back({name, bytes});
  if (memory_ == Memory::counted) return counted_place;
  buffers_.push_back(std::move(made));
  return buffers_.back().get();
}

Tensor Arena::tensor(const std::string& name, const Shape& shape) {
  void* memory = buffer(name, shape.size() * static_cast<int64_t>(sizeof(float)));
  return {static_cast<float*>(memory), shape};
}

IndexTensor Arena::index(const std::string& name, const Shape& shape) {
  void* memory = buffer(name, shape.size() * static_cast<int64_t>(sizeof(int32_t)));
  return {static_cast<int32_t*>(memory), shape};
}

TensorView<int64_t> Arena::wide(const std::string& name, const Shape& shape) {
  void* memory = buffer(name, shape.size() * static_cast<int64_t>(sizeof(int64_t)));
  return {static_cast<int64_t*>(memory), shape};
}

int64_t Arena::bytes() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.bytes;
  return sum;
}

}  // namespace dsf
