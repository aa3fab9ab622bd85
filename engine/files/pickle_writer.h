#pragma once
// Writes pickles of protocol 2 or 3, opcode by opcode, as CPython's pickler does: what is shared by
// name or text (classes, strings, bytes) is written once and recalled from the memo.
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace dsf {

class PickleWriter {
 public:
  /// Protocol 2 is torch.save's; only 3 has bytes.
  explicit PickleWriter(int protocol = 3);

  void none() { opcode('N'); }
  void boolean(bool value) { opcode(value ? '\x88' : '\x89'); }
  void integer(int64_t value);
  void real(double value);
  void text(std::string_view value);
  void bytes(std::span<const std::byte> value);
  /// A class or function, by name.
  void global(std::string_view module, std::string_view name);
  void empty_list() { memoized(']'); }
  void append() { opcode('a'); }
  /// Adds all values since the mark to the list below it.
  void append_items() { opcode('e'); }
  void empty_dict() { memoized('}'); }
  void mark() { opcode('('); }
  /// Adds all keys and values since the mark to the dictionary below it.
  void set_items() { opcode('u'); }
  void empty_tuple() { opcode(')'); }
  /// A tuple of the last `count` values, 1 to 3.
  void tuple(int count);
  /// A tuple of all values since the mark.
  void tuple_from_mark() { memoized('t'); }
  /// Replaces a callable and a tuple by what the call returns.
  void reduce() { memoized('R'); }
  /// Gives the value below the topmost the topmost as its state.
  void build() { opcode('b'); }
  /// Replaces a persistent id by what the reader keeps under it outside the pickle.
  void persistent() { opcode('Q'); }

  /// Ends the pickle and returns it.
  std::string finish();

 private:
  void opcode(char code) { pickle_ += code; }
  void memoized(char code);
  template <class T>
  void number(T value);
  /// An opcode on memo entry `index`, in the form that holds it.
  void indexed(char short_code, char long_code, uint32_t index);
  /// True, and the value recalled, if `key` was written before; else it is the next one memoized.
  bool recall(const std::string& key);
  void memoize();

  int protocol_;
  std::string pickle_;
  std::map<std::string, uint32_t> memo_;
  uint32_t memoized_ = 0;
};

}  // namespace dsf
