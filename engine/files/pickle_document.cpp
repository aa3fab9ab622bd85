#include "engine/files/pickle_document.h"

#include <algorithm>
#include <unordered_set>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr uint64_t kMaxDepth = 64;
constexpr uint64_t kMaxExpanded = 2'000'000;

void check_keys(const PickleDocument& document, const Dict& dict, const std::string& where) {
  std::unordered_set<std::string_view> texts;
  std::unordered_set<int64_t> numbers;
  for (const auto& [key, value] : dict.items) {
    const Node& node = document.nodes[key];
    const auto* text = std::get_if<std::string>(&node);
    const auto* number = std::get_if<int64_t>(&node);
    if (!text && !number) {
      fail("{}: a dictionary has {} as a key, expected a string or an integer", where,
           kind_name(node));
    }
    if (text ? !texts.insert(*text).second : !numbers.insert(*number).second) {
      fail("{}: a dictionary has the key {} twice", where,
           text ? quote(*text) : std::to_string(*number));
    }
  }
}

bool is_plain(const Node& node) {
  return !std::holds_alternative<Global>(node) && !std::holds_alternative<Storage>(node) &&
         !std::holds_alternative<NumpyDType>(node) && !std::holds_alternative<NumpyArray>(node);
}

/// Visits every node once, children before parents, without recursion.
class Checker {
 public:
  Checker(const PickleDocument& document, const std::string& where)
      : document_(document), where_(where), states_(document.nodes.size()) {}

  void run() {
    enter(document_.root);
    while (!open_.empty()) {
      Visit& visit = open_.back();
      if (visit.next == visit.children.size()) {
        close();
        continue;
      }
      const NodeId child = visit.children[visit.next++];
      if (states_[child].open) fail("{}: a value contains itself", where_);
      if (states_[child].expanded == 0) {
        enter(child);
      } else {
        add_to_parent(states_[child]);
      }
    }
  }

 private:
  struct State {
    uint64_t depth = 1;     // containers on the longest way down
    uint64_t expanded = 0;  // values, if nothing were shared; 0 until known
    bool open = false;      // its children are being visited
  };
  struct Visit {
    NodeId node = 0;
    std::vector<NodeId> children;
    size_t next = 0;
    State state;
  };

  void enter(NodeId id) {
    if (open_.size() > kMaxDepth) fail_depth();
    const Node& node = document_.nodes[id];
    Visit visit;
    visit.node = id;
    if (const auto* list = std::get_if<List>(&node)) {
      visit.children = list->items;
    } else if (const auto* tuple = std::get_if<Tuple>(&node)) {
      visit.children = tuple->items;
    } else if (const auto* dict = std::get_if<Dict>(&node)) {
      check_keys(document_, *dict, where_);
      for (const auto& [key, value] : dict->items) visit.children.push_back(value);
    } else if (!is_plain(node)) {
      fail("{}: {} stands where plain data is expected", where_, kind_name(node));
    }
    visit.state.expanded = 1;
    states_[id].open = true;
    open_.push_back(std::move(visit));
  }

  void close() {
    const Visit visit = std::move(open_.back());
    open_.pop_back();
    states_[visit.node] = visit.state;
    if (!open_.empty()) add_to_parent(visit.state);
  }

  void add_to_parent(const State& child) {
    State& parent = open_.back().state;
    parent.depth = std::max(parent.depth, child.depth + 1);
    parent.expanded += child.expanded;  // both are below the limit: no overflow
    if (parent.depth > kMaxDepth) fail_depth();
    if (parent.expanded > kMaxExpanded) fail("{}: more than {} values", where_, kMaxExpanded);
  }

  [[noreturn]] void fail_depth() const {
    fail("{}: values are nested more than {} deep", where_, kMaxDepth);
  }

  const PickleDocument& document_;
  const std::string& where_;
  std::vector<State> states_;
  std::vector<Visit> open_;
};

}  // namespace

std::string_view kind_name(const Node& node) {
  struct Names {
    std::string_view operator()(None) const { return "None"; }
    std::string_view operator()(bool) const { return "a boolean"; }
    std::string_view operator()(int64_t) const { return "an integer"; }
    std::string_view operator()(double) const { return "a float"; }
    std::string_view operator()(const std::string&) const { return "a string"; }
    std::string_view operator()(const Bytes&) const { return "bytes"; }
    std::string_view operator()(const List&) const { return "a list"; }
    std::string_view operator()(const Tuple&) const { return "a tuple"; }
    std::string_view operator()(const Dict&) const { return "a dictionary"; }
    std::string_view operator()(const StoredTensor&) const { return "a tensor"; }
    std::string_view operator()(const Global&) const { return "a callable"; }
    std::string_view operator()(const Storage&) const { return "a storage"; }
    std::string_view operator()(const StridedTensor&) const { return "a tensor"; }
    std::string_view operator()(const NumpyDType&) const { return "a numpy data type"; }
    std::string_view operator()(NumpyArray) const { return "an unfinished numpy array"; }
  };
  return std::visit(Names{}, node);
}

void check_document(const PickleDocument& document, const std::string& where) {
  Checker(document, where).run();
}

}  // namespace dsf
