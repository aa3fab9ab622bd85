#pragma once
// Python pickles as plain data. An interpreter of the opcodes that torch.save and numpy.save write
// (protocols 2 to 5), with an allow-list of callables whose effect it imitates: it builds numbers,
// texts, containers and tensors, and can run nothing.
// Format: Lib/pickletools.py of CPython documents every opcode.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/files/stored_tensor.h"

namespace dsf {

struct PickleDocument;

/// A value of a pickle: a light handle that keeps the whole pickle alive. The accessors raise an
/// Error that names the place and both kinds: "x.pth: 'sizes'/'width': expected an integer, found a
/// string".
class PickleValue {
 public:
  /// The root of a document.
  explicit PickleValue(std::shared_ptr<const PickleDocument> document);

  bool is_none() const;
  bool is_list() const;  // or a tuple
  bool is_dict() const;
  bool is_string() const;
  bool is_tensor() const;  // a numpy scalar is a tensor of rank 0
  /// "a list", "an integer" …
  std::string_view kind() const;

  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;  // a float or an integer
  const std::string& as_string() const;
  const StoredTensor& as_tensor() const;
  /// A value that contains no others in Python's notation: None, True, 5, 0.2, 'text'. Of bytes
  /// their number; texts are cut after 80 bytes.
  std::string plain_text() const;
  std::vector<int64_t> as_ints() const;  // a list or tuple of integers

  /// Number of entries of a list, tuple or dictionary.
  size_t size() const;
  /// Entry of a list or tuple.
  PickleValue operator[](size_t index) const;
  /// Entry of a dictionary; an Error that lists the keys there are, if `key` is not among them.
  PickleValue at(std::string_view key) const;
  std::optional<PickleValue> find(std::string_view key) const;
  /// All entries of a dictionary, in the order of the file. Keys are strings or integers.
  std::vector<std::pair<PickleValue, PickleValue>> entries() const;

  /// The file and the place in it, as messages begin.
  std::string path() const;

 private:
  struct Step;
  PickleValue(std::shared_ptr<const PickleDocument> document, uint32_t node,
              std::shared_ptr<const Step> way, bool is_key = false);
  PickleValue entry(uint32_t key, uint32_t value) const;
  template <class T>
  const T& get(std::string_view expected) const;
  [[noreturn]] void fail_kind(std::string_view expected) const;

  std::shared_ptr<const PickleDocument> document_;
  uint32_t node_;
  bool is_key_ = false;              // the key of the entry that `way_` leads to
  std::shared_ptr<const Step> way_;  // from the root, for messages; null: this is the root
};

/// Where a pickle of torch's keeps the elements of its tensors.
class StorageArchive {
 public:
  virtual ~StorageArchive() = default;
  /// All bytes of the storage `key`; an Error if there is none.
  virtual std::vector<std::byte> load(const std::string& key) const = 0;
  /// Bytes of all storages together: what the tensors may take is limited by it.
  virtual uint64_t total_bytes() const = 0;
};

/// Whether the elements of torch's tensors are read too. Without them a tensor is a value that has
/// no accessor.
enum class WithElements { no, yes };

/// Interprets all of `bytes`. Raises an Error, naming `where` and the byte, at any opcode or
/// callable that is not allowed, if the bytes end early or go on after the end, if a value contains
/// itself, if containers are nested more than 64 deep, and if values, or the bytes of the tensors,
/// are many more than a file of this size has a reason for. Without an archive, tensors of torch's
/// are errors.
PickleValue read_pickle(std::span<const std::byte> bytes, const std::string& where,
                        const StorageArchive* archive = nullptr,
                        WithElements elements = WithElements::yes);

}  // namespace dsf
