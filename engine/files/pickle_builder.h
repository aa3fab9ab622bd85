#pragma once
// What the callables of a pickle do to a document: the allow-list of read_pickle and its effects.
#include <string>
#include <string_view>

#include "engine/files/pickle.h"
#include "engine/files/pickle_document.h"
#include "kernels/common/checks.h"

namespace dsf {

class PickleBuilder {
 public:
  /// `max_tensor_bytes`: all tensors together.
  PickleBuilder(std::string where, uint64_t max_tensor_bytes)
      : where_(std::move(where)), bytes_left_(max_tensor_bytes) {}

  /// The byte of the pickle that messages name.
  void set_offset(size_t offset) { offset_ = offset; }
  NodeId add(Node node);
  const Node& node(NodeId id) const { return document_.nodes[id]; }
  /// A node that must be of one kind; `what` names it in the message.
  template <class T>
  T& get(NodeId id, std::string_view what) {
    if (T* value = std::get_if<T>(&document_.nodes[id])) return *value;
    fail_here("{} is {}", what, kind_name(document_.nodes[id]));
  }

  /// GLOBAL: the node of an allowed callable.
  NodeId global(std::string_view module, std::string_view name);
  /// REDUCE: what the callable returns.
  NodeId call(NodeId function, NodeId arguments);
  /// BUILD: gives `object` the state that was pickled with it.
  void build(NodeId object, NodeId state);
  /// BINPERSID: the storage that torch's persistent id names.
  NodeId persistent(NodeId id);
  /// Checks the document, reads the elements of torch's tensors from the archive, if they are
  /// wanted, and hands all of it over. The builder is then empty.
  PickleDocument finish(NodeId root, const StorageArchive* archive, WithElements elements);

  template <class... Args>
  [[noreturn]] void fail_here(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}: byte {}: {}", where_, offset_, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  const std::vector<NodeId>& tuple_of(NodeId id, size_t least, std::string_view what);
  std::vector<int64_t> integers(NodeId id, std::string_view what);
  void spend(uint64_t bytes);
  NodeId rebuild_tensor(const std::vector<NodeId>& arguments);
  NodeId numpy_dtype(const std::vector<NodeId>& arguments);
  NodeId numpy_scalar(const std::vector<NodeId>& arguments);
  NodeId encode_latin1(const std::vector<NodeId>& arguments);
  void build_dtype(NumpyDType& dtype, const std::vector<NodeId>& state);
  void build_array(Node& array, const std::vector<NodeId>& state);
  void load_tensors(const StorageArchive* archive);
  StoredTensor numpy_tensor(const NumpyDType& dtype, const std::vector<int64_t>& shape,
                            bool fortran_order, std::span<const std::byte> elements);

  std::string where_;
  uint64_t bytes_left_;
  size_t offset_ = 0;
  PickleDocument document_;
};

}  // namespace dsf
