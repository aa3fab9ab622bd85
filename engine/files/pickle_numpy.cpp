// PickleBuilder's part for numpy: arrays and scalars, and bytes as protocol 2 spells them.
#include <algorithm>
#include <array>

#include "engine/files/pickle_builder.h"
#include "engine/files/quote.h"
#include "engine/files/strided.h"

namespace dsf {
namespace {

struct NumpyName {
  std::string_view name;
  NumpyDType dtype;
};

constexpr std::array kNumpyNames = {
    NumpyName{"b1", {DType::boolean}}, NumpyName{"i1", {DType::i8}},  NumpyName{"u1", {DType::u8}},
    NumpyName{"i2", {DType::i16}},     NumpyName{"u2", {DType::u16}}, NumpyName{"i4", {DType::i32}},
    NumpyName{"u4", {DType::u32}},     NumpyName{"i8", {DType::i64}}, NumpyName{"u8", {DType::u64}},
    NumpyName{"f2", {DType::f16}},     NumpyName{"f4", {DType::f32}}, NumpyName{"f8", {DType::f64}},
    NumpyName{"O8", {DType::u8, true}}};

}  // namespace

/// (name, align, copy)
NodeId PickleBuilder::numpy_dtype(const std::vector<NodeId>& arguments) {
  const auto& name = get<std::string>(arguments[0], "the name of a numpy data type");
  const auto found = std::find_if(kNumpyNames.begin(), kNumpyNames.end(),
                                  [&](const NumpyName& known) { return known.name == name; });
  if (found == kNumpyNames.end()) fail_here("numpy data type {} is not supported", quote(name));
  return add(found->dtype);
}

/// (version, byte order, sub-array, names, fields, …): only plain types are known.
void PickleBuilder::build_dtype(NumpyDType& dtype, const std::vector<NodeId>& state) {
  const auto& order = get<std::string>(state[1], "the byte order of a numpy data type");
  const bool has_order = !dtype.is_object && dtype_size(dtype.dtype) > 1;
  if (order != (has_order ? "<" : "|")) {
    fail_here("a numpy data type has byte order {}, expected little-endian", quote(order));
  }
  for (size_t i = 2; i < 5; ++i) get<None>(state[i], "the structure of a numpy data type");
  dtype.complete = true;
}

/// (version, shape, data type, Fortran order, elements): a list of values where the type is object,
/// which becomes a List, else bytes.
void PickleBuilder::build_array(Node& array, const std::vector<NodeId>& state) {
  const auto shape = integers(state[1], "the shape of a numpy array");
  const NumpyDType& dtype = get<NumpyDType>(state[2], "the data type of a numpy array");
  if (!dtype.is_object) {
    const bool fortran_order = get<bool>(state[3], "the order of a numpy array");
    const auto& elements = get<Bytes>(state[4], "the elements of a numpy array").bytes;
    array = numpy_tensor(dtype, shape, fortran_order, elements);
    return;
  }
  const auto& items = get<List>(state[4], "the elements of a numpy array").items;
  if (element_count(shape) != items.size()) {
    fail_here("a numpy array of shape {} has {} elements", shape_text(shape), items.size());
  }
  spend(items.size() * sizeof(NodeId));
  array = List{items};
}

/// (data type, bytes)
NodeId PickleBuilder::numpy_scalar(const std::vector<NodeId>& arguments) {
  const NumpyDType& dtype = get<NumpyDType>(arguments[0], "the data type of a numpy scalar");
  if (dtype.is_object) fail_here("a numpy scalar is a Python object");
  const auto& bytes = get<Bytes>(arguments[1], "the value of a numpy scalar").bytes;
  return add(numpy_tensor(dtype, {}, false, bytes));
}

StoredTensor PickleBuilder::numpy_tensor(const NumpyDType& dtype, const std::vector<int64_t>& shape,
                                         bool fortran_order, std::span<const std::byte> elements) {
  if (!dtype.complete) fail_here("a numpy data type was not given its byte order");
  if (tensor_bytes(dtype.dtype, shape) != elements.size()) {
    fail_here("a numpy array of {} and shape {} has {} bytes", dtype_name(dtype.dtype),
              shape_text(shape), elements.size());
  }
  spend(elements.size());
  if (!fortran_order) return {dtype.dtype, shape, {elements.begin(), elements.end()}};
  return gather_strided(dtype.dtype, elements, 0, shape, fortran_strides(shape), elements.size(),
                        where_);
}

/// (text, 'latin1'): protocol 2 has no bytes, so each becomes the character of its number.
NodeId PickleBuilder::encode_latin1(const std::vector<NodeId>& arguments) {
  const auto& text = get<std::string>(arguments[0], "the argument of _codecs.encode");
  const auto& codec = get<std::string>(arguments[1], "the codec of _codecs.encode");
  if (codec != "latin1") fail_here("_codecs.encode to {}, expected latin1", quote(codec));
  spend(text.size());
  Bytes result;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x80) {
      result.bytes.push_back(std::byte{byte});
      continue;
    }
    // U+0080 … U+00FF are 110000ab 10cdefgh in UTF-8.
    const auto next = i + 1 < text.size() ? static_cast<uint8_t>(text[i + 1]) : uint8_t{0};
    if ((byte & 0xFCU) != 0xC0U || (next & 0xC0U) != 0x80U) {
      fail_here("a character of {} is not in latin1", quote(text));
    }
    result.bytes.push_back(static_cast<std::byte>((byte & 3U) << 6 | (next & 0x3FU)));
    ++i;
  }
  return add(std::move(result));
}

}  // namespace dsf
