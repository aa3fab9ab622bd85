#include "engine/files/pickle.h"

#include <unordered_map>

#include "engine/files/pickle_builder.h"
#include "engine/files/pickle_bytes.h"

namespace dsf {
namespace {

enum class Opcode : uint8_t {
  mark = '(',
  stop = '.',
  none = 'N',
  newtrue = 0x88,
  newfalse = 0x89,
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  long1 = 0x8A,
  long4 = 0x8B,
  binfloat = 'G',
  binunicode = 'X',
  short_binunicode = 0x8C,
  binunicode8 = 0x8D,
  binbytes = 'B',
  short_binbytes = 'C',
  binbytes8 = 0x8E,
  empty_list = ']',
  append = 'a',
  appends = 'e',
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_dict = '}',
  setitem = 's',
  setitems = 'u',
  binget = 'h',
  long_binget = 'j',
  binput = 'q',
  long_binput = 'r',
  memoize = 0x94,
  global = 'c',
  stack_global = 0x93,
  reduce = 'R',
  build = 'b',
  binpersid = 'Q',
  proto = 0x80,
  frame = 0x95
};

/// Reads the bytes, keeps stack and memo; what callables do is PickleBuilder's business.
class Interpreter {
 public:
  Interpreter(std::span<const std::byte> bytes, PickleBuilder& builder)
      : bytes_(bytes, builder), builder_(builder) {}

  /// Runs to the end and returns the value that is left.
  NodeId run() {
    if (const Opcode first = next_opcode(); first != Opcode::proto) {
      builder_.fail_here("not a pickle of protocol 2 or later: it begins with {:#04x}",
                         static_cast<unsigned>(first));
    }
    const auto protocol = bytes_.integer<uint8_t>();
    if (protocol < 2 || protocol > 5) {
      builder_.fail_here("pickle protocol {} is not supported: 2 to 5 are", protocol);
    }
    for (Opcode opcode = next_opcode(); opcode != Opcode::stop; opcode = next_opcode()) {
      const bool known =
          run_scalar(opcode) || run_container(opcode) || run_memo(opcode) || run_callable(opcode);
      if (!known) {
        builder_.fail_here("opcode {:#04x} is not supported", static_cast<unsigned>(opcode));
      }
    }
    if (!marks_.empty() || stack_.size() != 1) {
      builder_.fail_here("the pickle ends with {} values, expected 1", stack_.size());
    }
    if (bytes_.left() != 0)
      builder_.fail_here("the pickle ends, but {} bytes follow", bytes_.left());
    return stack_[0];
  }

 private:
  Opcode next_opcode() {
    constexpr size_t kMaxOpcodes = 4'000'000;
    builder_.set_offset(bytes_.position());
    if (++opcodes_ > kMaxOpcodes) builder_.fail_here("more than {} opcodes", kMaxOpcodes);
    return Opcode{bytes_.integer<uint8_t>()};
  }

  void push(Node node) { stack_.push_back(builder_.add(std::move(node))); }

  /// What stands above the last mark, or above the bottom, belongs to the opcode.
  size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  NodeId top() const {
    if (available() == 0) builder_.fail_here("the stack is empty");
    return stack_.back();
  }

  NodeId pop() {
    const NodeId id = top();
    stack_.pop_back();
    return id;
  }

  std::vector<NodeId> pop_items(size_t count) {
    if (available() < count) builder_.fail_here("the stack has too few values");
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<NodeId> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    return items;
  }

  std::vector<NodeId> pop_to_mark() {
    if (marks_.empty()) builder_.fail_here("there is no mark on the stack");
    std::vector<NodeId> items = pop_items(available());
    marks_.pop_back();
    return items;
  }

  // Each of these returns false for an opcode that is not its own.

  bool run_scalar(Opcode opcode) {
    switch (opcode) {
      case Opcode::none:
        push(None{});
        return true;
      case Opcode::newtrue:
        push(true);
        return true;
      case Opcode::newfalse:
        push(false);
        return true;
      case Opcode::binint:
        push(int64_t{bytes_.integer<int32_t>()});
        return true;
      case Opcode::binint1:
        push(int64_t{bytes_.integer<uint8_t>()});
        return true;
      case Opcode::binint2:
        push(int64_t{bytes_.integer<uint16_t>()});
        return true;
      case Opcode::long1:
        push(bytes_.long_integer(bytes_.integer<uint8_t>()));
        return true;
      case Opcode::long4:
        push(bytes_.long_integer(bytes_.integer<uint32_t>()));
        return true;
      case Opcode::binfloat:
        push(bytes_.big_endian_double());
        return true;
      default:
        return run_text(opcode);
    }
  }

  bool run_text(Opcode opcode) {
    switch (opcode) {
      case Opcode::short_binunicode:
        push(bytes_.text(bytes_.integer<uint8_t>()));
        return true;
      case Opcode::binunicode:
        push(bytes_.text(bytes_.integer<uint32_t>()));
        return true;
      case Opcode::binunicode8:
        push(bytes_.text(bytes_.integer<uint64_t>()));
        return true;
      case Opcode::short_binbytes:
        push(bytes_.raw(bytes_.integer<uint8_t>()));
        return true;
      case Opcode::binbytes:
        push(bytes_.raw(bytes_.integer<uint32_t>()));
        return true;
      case Opcode::binbytes8:
        push(bytes_.raw(bytes_.integer<uint64_t>()));
        return true;
      default:
        return false;
    }
  }

  bool run_container(Opcode opcode) {
    switch (opcode) {
      case Opcode::mark:
        marks_.push_back(stack_.size());
        return true;
      case Opcode::empty_list:
        push(List{});
        return true;
      case Opcode::append:
        append(pop_items(1));
        return true;
      case Opcode::appends:
        append(pop_to_mark());
        return true;
      case Opcode::empty_tuple:
        push(Tuple{});
        return true;
      case Opcode::tuple1:
      case Opcode::tuple2:
      case Opcode::tuple3:
        push(Tuple{
            pop_items(1 + static_cast<size_t>(opcode) - static_cast<size_t>(Opcode::tuple1))});
        return true;
      case Opcode::tuple:
        push(Tuple{pop_to_mark()});
        return true;
      case Opcode::empty_dict:
        push(Dict{});
        return true;
      case Opcode::setitem:
        set_items(pop_items(2));
        return true;
      case Opcode::setitems:
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  void append(const std::vector<NodeId>& items) {
    auto& list = builder_.get<List>(top(), "what is appended to").items;
    list.insert(list.end(), items.begin(), items.end());
  }

  void set_items(const std::vector<NodeId>& items) {
    auto& dict = builder_.get<Dict>(top(), "what is given keys").items;
    if (items.size() % 2 != 0) builder_.fail_here("a key has no value");
    for (size_t i = 0; i < items.size(); i += 2) dict.emplace_back(items[i], items[i + 1]);
  }

  bool run_memo(Opcode opcode) {
    switch (opcode) {
      case Opcode::binput:
        memo_[bytes_.integer<uint8_t>()] = top();
        return true;
      case Opcode::long_binput:
        memo_[bytes_.integer<uint32_t>()] = top();
        return true;
      case Opcode::memoize:
        memo_[static_cast<uint32_t>(memo_.size())] = top();
        return true;
      case Opcode::binget:
        recall(bytes_.integer<uint8_t>());
        return true;
      case Opcode::long_binget:
        recall(bytes_.integer<uint32_t>());
        return true;
      default:
        return false;
    }
  }

  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) builder_.fail_here("memo {} was never stored", index);
    stack_.push_back(found->second);
  }

  bool run_callable(Opcode opcode) {
    switch (opcode) {
      case Opcode::global: {
        const std::string module = bytes_.line();
        stack_.push_back(builder_.global(module, bytes_.line()));
        return true;
      }
      case Opcode::stack_global: {
        const auto names = pop_items(2);
        stack_.push_back(builder_.global(builder_.get<std::string>(names[0], "a module's name"),
                                         builder_.get<std::string>(names[1], "a callable's name")));
        return true;
      }
      case Opcode::reduce: {
        const auto call = pop_items(2);
        stack_.push_back(builder_.call(call[0], call[1]));
        return true;
      }
      case Opcode::build: {
        const NodeId state = pop();
        builder_.build(top(), state);
        return true;
      }
      case Opcode::binpersid:
        stack_.push_back(builder_.persistent(pop()));
        return true;
      case Opcode::frame:  // a hint for readers from a stream
        if (const auto size = bytes_.integer<uint64_t>(); size > bytes_.left()) {
          builder_.fail_here("a frame of {} bytes, {} are left", size, bytes_.left());
        }
        return true;
      default:
        return false;
    }
  }

  PickleBytes bytes_;
  PickleBuilder& builder_;
  size_t opcodes_ = 0;
  std::vector<NodeId> stack_;
  std::vector<size_t> marks_;  // stack sizes
  std::unordered_map<uint32_t, NodeId> memo_;
};

}  // namespace

PickleValue read_pickle(std::span<const std::byte> bytes, const std::string& where,
                        const StorageArchive* archive, WithElements elements) {
  // Honest files hold every byte of their tensors once, or a few times where tensors are views.
  const uint64_t input = bytes.size() + (archive ? archive->total_bytes() : 0);
  PickleBuilder builder(where, 4 * input + (uint64_t{1} << 20));
  const NodeId root = Interpreter(bytes, builder).run();
  auto document = std::make_shared<const PickleDocument>(builder.finish(root, archive, elements));
  return PickleValue(std::move(document));
}

}  // namespace dsf
