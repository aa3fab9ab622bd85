#pragma once
// Pickles put together from opcodes, for tests.
#include "engine/files/pickle.h"
#include "tests/files_support.h"

namespace dsf::files_test {

inline PickleValue read(const std::string& pickle, const StorageArchive* archive = nullptr) {
  return read_pickle(std::as_bytes(std::span(pickle)), "file", archive);
}

/// A whole pickle of protocol 4 around opcodes.
inline std::string whole(const std::string& opcodes) {
  return "\x80\x04" + opcodes + ".";
}

inline void refuse(const std::string& opcodes, const std::string& part) {
  const std::string message = error_of([&] { read(whole(opcodes)); });
  EXPECT_EQ(message.rfind("file: ", 0), 0U) << message;
  expect_contains(message, part);
}

inline std::string text(const std::string& value) {
  return "X"s + raw(static_cast<uint32_t>(value.size())) + value;
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

/// numpy.dtype(name), complete.
inline std::string numpy_dtype(const std::string& name, const std::string& order = "<") {
  return global("numpy", "dtype") + text(name) + "\x85R(K\x03" + text(order) + "NNNJ" + raw(-1) +
         "J"s + raw(-1) + "K\0tb"s;
}

/// A numpy array: shape and elements are opcodes.
inline std::string numpy_array(const std::string& shape, const std::string& dtype,
                               const std::string& elements, const std::string& fortran = "\x89") {
  return global("numpy._core.multiarray", "_reconstruct") + global("numpy", "ndarray") +
         "K\0\x85"s
         "C\x01"
         "b\x87R(K\x01" +
         shape + dtype + fortran + elements + "tb";
}

inline std::string bytes(const std::string& value) {
  return "C"s + std::string(1, static_cast<char>(value.size())) + value;
}

inline std::string torch_tensor(const std::string& storage, const std::string& offset,
                                const std::string& shape, const std::string& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + offset + shape + strides +
         "\x89" + global("collections", "OrderedDict") + ")RtR";
}

inline std::string storage(const std::string& type, const std::string& key,
                           const std::string& elements) {
  return "("s + text("storage") + global("torch", type) + text(key) + text("cpu") + elements + "tQ";
}

}  // namespace dsf::files_test
