#include "engine/files/pickle_builder.h"

#include <array>

#include "engine/files/quote.h"
#include "engine/files/strided.h"

namespace dsf {
namespace {

constexpr size_t kMaxNodes = 2'000'000;

struct Allowed {
  std::string_view module;
  std::string_view name;
  Global global;
};

constexpr std::array kAllowed = {
    Allowed{"collections", "OrderedDict", {Callable::ordered_dict}},
    Allowed{"torch", "Size", {Callable::torch_size}},
    Allowed{"torch._utils", "_rebuild_tensor_v2", {Callable::rebuild_tensor}},
    Allowed{"torch._utils", "_rebuild_parameter", {Callable::rebuild_parameter}},
    Allowed{"torch", "FloatStorage", {Callable::storage_type, DType::f32}},
    Allowed{"torch", "DoubleStorage", {Callable::storage_type, DType::f64}},
    Allowed{"torch", "HalfStorage", {Callable::storage_type, DType::f16}},
    Allowed{"torch", "BFloat16Storage", {Callable::storage_type, DType::bf16}},
    Allowed{"torch", "LongStorage", {Callable::storage_type, DType::i64}},
    Allowed{"torch", "IntStorage", {Callable::storage_type, DType::i32}},
    Allowed{"torch", "ShortStorage", {Callable::storage_type, DType::i16}},
    Allowed{"torch", "CharStorage", {Callable::storage_type, DType::i8}},
    Allowed{"torch", "ByteStorage", {Callable::storage_type, DType::u8}},
    Allowed{"torch", "BoolStorage", {Callable::storage_type, DType::boolean}},
    // numpy 2 moved its module; files of both ages are about.
    Allowed{"numpy.core.multiarray", "_reconstruct", {Callable::numpy_reconstruct}},
    Allowed{"numpy._core.multiarray", "_reconstruct", {Callable::numpy_reconstruct}},
    Allowed{"numpy.core.multiarray", "scalar", {Callable::numpy_scalar}},
    Allowed{"numpy._core.multiarray", "scalar", {Callable::numpy_scalar}},
    Allowed{"numpy", "ndarray", {Callable::numpy_array}},
    Allowed{"numpy", "dtype", {Callable::numpy_dtype}},
    Allowed{"_codecs", "encode", {Callable::encode}},
};

}  // namespace

NodeId PickleBuilder::add(Node node) {
  if (document_.nodes.size() >= kMaxNodes) fail_here("more than {} values", kMaxNodes);
  document_.nodes.push_back(std::move(node));
  return static_cast<NodeId>(document_.nodes.size() - 1);
}

NodeId PickleBuilder::global(std::string_view module, std::string_view name) {
  for (const Allowed& allowed : kAllowed) {
    if (allowed.module == module && allowed.name == name) return add(allowed.global);
  }
  fail_here("the callable {} is not allowed: only plain data, numpy arrays and torch tensors are",
            quote(fmt::format("{}.{}", module, name)));
}

NodeId PickleBuilder::call(NodeId function, NodeId arguments) {
  const Callable callable = get<Global>(function, "what is called").callable;
  const auto& items = get<Tuple>(arguments, "the argument list").items;
  switch (callable) {
    case Callable::ordered_dict:
      if (!items.empty()) fail_here("OrderedDict has {} arguments, expected none", items.size());
      return add(Dict{});
    case Callable::torch_size:
      get<Tuple>(tuple_of(arguments, 1, "torch.Size")[0], "torch.Size's argument");
      return items[0];
    case Callable::rebuild_parameter:  // (tensor, requires_grad, hooks): the tensor is all of it
      get<StridedTensor>(tuple_of(arguments, 1, "_rebuild_parameter")[0], "a parameter's data");
      return items[0];
    case Callable::rebuild_tensor:
      return rebuild_tensor(tuple_of(arguments, 4, "_rebuild_tensor_v2"));
    case Callable::numpy_reconstruct:  // (ndarray, (0,), b'b'): BUILD brings everything
      if (get<Global>(tuple_of(arguments, 1, "_reconstruct")[0], "an array's class").callable !=
          Callable::numpy_array) {
        fail_here("_reconstruct of something else than numpy.ndarray");
      }
      return add(NumpyArray{});
    case Callable::numpy_dtype:
      return numpy_dtype(tuple_of(arguments, 1, "numpy.dtype"));
    case Callable::numpy_scalar:
      return numpy_scalar(tuple_of(arguments, 2, "numpy's scalar"));
    case Callable::encode:
      return encode_latin1(tuple_of(arguments, 2, "_codecs.encode"));
    case Callable::storage_type:
    case Callable::numpy_array:
      break;
  }
  fail_here("a class is called that only names a type");
}

void PickleBuilder::build(NodeId object, NodeId state) {
  Node& node = document_.nodes[object];
  if (std::holds_alternative<Dict>(node)) {
    // The attributes of an OrderedDict: torch keeps a table of version numbers there.
    get<Dict>(state, "the state of a dictionary");
  } else if (auto* dtype = std::get_if<NumpyDType>(&node)) {
    build_dtype(*dtype, tuple_of(state, 5, "the state of a numpy data type"));
  } else if (std::holds_alternative<NumpyArray>(node)) {
    build_array(node, tuple_of(state, 5, "the state of a numpy array"));
  } else {
    fail_here("{} cannot be given a state", kind_name(node));
  }
}

/// The entries of a tuple that must have at least `least`.
const std::vector<NodeId>& PickleBuilder::tuple_of(NodeId id, size_t least, std::string_view what) {
  const auto& items = get<Tuple>(id, what).items;
  if (items.size() < least) {
    fail_here("{} has {} entries, expected at least {}", what, items.size(), least);
  }
  return items;
}

/// A shape or strides. Longer tuples are refused before they are copied: one shared tuple in many
/// tensors would else multiply.
std::vector<int64_t> PickleBuilder::integers(NodeId id, std::string_view what) {
  const auto& items = get<Tuple>(id, what).items;
  if (items.size() > kMaxStoredRank) fail_here("{} has {} axes", what, items.size());
  std::vector<int64_t> values;
  values.reserve(items.size());
  for (const NodeId item : items) values.push_back(get<int64_t>(item, what));
  return values;
}

/// A few bytes of a pickle can name the same data again and again: what they expand to is limited.
void PickleBuilder::spend(uint64_t bytes) {
  if (bytes > bytes_left_) fail_here("its data are larger than this file can justify");
  bytes_left_ -= bytes;
}

PickleDocument PickleBuilder::finish(NodeId root, const StorageArchive* archive,
                                     WithElements elements) {
  document_.root = root;
  document_.where = where_;
  check_document(document_, where_);
  if (elements == WithElements::yes) load_tensors(archive);
  return std::move(document_);
}

}  // namespace dsf
