#pragma once
// What a pickle becomes: one flat store of nodes that refer to each other by number. Values shared
// inside the pickle stay shared, and neither cycles nor depth can harm the destructor.
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/files/stored_tensor.h"

namespace dsf {

using NodeId = uint32_t;

struct None {};
struct Bytes {
  std::vector<std::byte> bytes;
};
struct List {
  std::vector<NodeId> items;
};
struct Tuple {
  std::vector<NodeId> items;
};
struct Dict {
  std::vector<std::pair<NodeId, NodeId>> items;
};

/// The callables that a pickle may name; PickleBuilder knows what they do.
enum class Callable {
  ordered_dict,
  torch_size,
  rebuild_tensor,
  rebuild_parameter,
  storage_type,
  numpy_reconstruct,
  numpy_scalar,
  numpy_array,
  numpy_dtype,
  encode
};
struct Global {
  Callable callable;
  DType dtype = DType::f32;  // of a storage_type
};

/// An entry of torch's archive: `elements` elements of one type.
struct Storage {
  DType dtype;
  std::string key;
  uint64_t elements;
};
/// A tensor whose elements are still in the archive. Strides count elements.
struct StridedTensor {
  NodeId storage;
  uint64_t offset;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};
/// Element type of a numpy array; `is_object` for Python values.
struct NumpyDType {
  DType dtype;
  bool is_object = false;
  bool complete = false;  // BUILD has said that it is little-endian and plain
};
/// A numpy array before BUILD gives it shape and elements.
struct NumpyArray {};

using Node = std::variant<None, bool, int64_t, double, std::string, Bytes, List, Tuple, Dict,
                          StoredTensor, Global, Storage, StridedTensor, NumpyDType, NumpyArray>;

struct PickleDocument {
  std::deque<Node> nodes;
  NodeId root = 0;
  std::string where;  // as messages begin
};

/// "a list", "a tensor" … for messages.
std::string_view kind_name(const Node& node);

/// Raises an Error (beginning with `where`) unless the values under the root are plain data and
/// tensors, contain no cycle, are nested at most 64 deep, expand to at most 2 million values, and
/// every dictionary has keys of strings and integers, each once.
void check_document(const PickleDocument& document, const std::string& where);

}  // namespace dsf
