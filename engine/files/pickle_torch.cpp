// PickleBuilder's part for torch.save: tensors whose elements are entries of an archive.
#include <map>

#include "engine/files/pickle_builder.h"
#include "engine/files/quote.h"
#include "engine/files/strided.h"

namespace dsf {

/// ('storage', type, key, location, number of elements)
NodeId PickleBuilder::persistent(NodeId id) {
  constexpr size_t kLongestKey = 255;
  const auto& items = tuple_of(id, 5, "a persistent id");
  if (get<std::string>(items[0], "the kind of a persistent id") != "storage") {
    fail_here("a persistent id is not that of a storage");
  }
  const Global& type = get<Global>(items[1], "the type of a storage");
  const auto& key = get<std::string>(items[2], "the key of a storage");
  const int64_t elements = get<int64_t>(items[4], "the size of a storage");
  if (type.callable != Callable::storage_type || elements < 0 || key.size() > kLongestKey) {
    fail_here("no storage has key {} and {} elements of this type", quote(key), elements);
  }
  return add(Storage{type.dtype, key, static_cast<uint64_t>(elements)});
}

/// (storage, offset, shape, strides, requires_grad, hooks)
NodeId PickleBuilder::rebuild_tensor(const std::vector<NodeId>& arguments) {
  get<Storage>(arguments[0], "the storage of a tensor");
  const int64_t offset = get<int64_t>(arguments[1], "the offset of a tensor");
  if (offset < 0) fail_here("the offset of a tensor is {}", offset);
  StridedTensor tensor{arguments[0], static_cast<uint64_t>(offset),
                       integers(arguments[2], "the shape of a tensor"),
                       integers(arguments[3], "the strides of a tensor")};
  // A tensor without elements costs memory too, and five bytes of pickle are enough to repeat it.
  spend((tensor.shape.size() + tensor.strides.size()) * sizeof(int64_t));
  return add(std::move(tensor));
}

/// Each storage is read once, whatever the number of its tensors.
void PickleBuilder::load_tensors(const StorageArchive* archive) {
  std::map<std::string_view, std::vector<Node*>> users;  // the tensors of each storage
  for (Node& node : document_.nodes) {
    if (const auto* tensor = std::get_if<StridedTensor>(&node)) {
      users[std::get<Storage>(document_.nodes[tensor->storage]).key].push_back(&node);
    }
  }
  if (!users.empty() && !archive) fail("{}: it has tensors of torch, but no archive", where_);
  for (const auto& [key, tensors] : users) {
    const std::vector<std::byte> bytes = archive->load(std::string(key));
    const std::string where = fmt::format("{}: storage {}", where_, quote(key));
    for (Node* node : tensors) {
      const auto& view = std::get<StridedTensor>(*node);
      const auto& storage = std::get<Storage>(document_.nodes[view.storage]);
      const size_t size = dtype_size(storage.dtype);
      if (bytes.size() % size != 0 || bytes.size() / size != storage.elements) {
        fail("{}: it has {} bytes, expected {} elements of {}", where, bytes.size(),
             storage.elements, dtype_name(storage.dtype));
      }
      StoredTensor tensor = gather_strided(storage.dtype, bytes, view.offset, view.shape,
                                           view.strides, bytes_left_, where);
      spend(tensor.bytes.size());
      *node = std::move(tensor);
    }
  }
}

}  // namespace dsf
