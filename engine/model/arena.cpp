#include "engine/model/arena.h"

#include <cstring>
#include <new>

namespace dsf {

void* Arena::allocate(const std::string& name, int64_t bytes) {
  const auto found = positions_.find(name);
  if (found != positions_.end()) {
    DSF_CHECK(bytes <= entries_[found->second].bytes, "buffer '{}' holds {} bytes, asked for {}",
              name, entries_[found->second].bytes, bytes);
    return blocks_[found->second].get();
  }
  Block block(::operator new (static_cast<size_t>(bytes), std::align_val_t{64}));
  std::memset(block.get(), 0, static_cast<size_t>(bytes));
  positions_[name] = entries_.size();
  entries_.push_back({name, bytes});
  blocks_.push_back(std::move(block));
  return blocks_.back().get();
}

Tensor Arena::tensor(const std::string& name, const Shape& shape) {
  void* memory = allocate(name, shape.size() * static_cast<int64_t>(sizeof(float)));
  return {static_cast<float*>(memory), shape};
}

IndexTensor Arena::index(const std::string& name, const Shape& shape) {
  void* memory = allocate(name, shape.size() * static_cast<int64_t>(sizeof(int32_t)));
  return {static_cast<int32_t*>(memory), shape};
}

int64_t Arena::bytes() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.bytes;
  return sum;
}

}  // namespace dsf
