// The accessors of PickleValue.
#include <fmt/ranges.h>

#include <algorithm>
#include <variant>

#include "engine/files/pickle.h"
#include "engine/files/pickle_document.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

std::string key_text(const PickleDocument& document, NodeId key) {
  const Node& node = document.nodes[key];
  const auto* text = std::get_if<std::string>(&node);
  return text ? quote(*text) : std::to_string(std::get<int64_t>(node));
}

}  // namespace

/// One step from a container into it. Handles share the steps before theirs, and texts are made of
/// them for messages only: a file with many values in deep containers costs no more than its size.
struct PickleValue::Step {
  std::shared_ptr<const Step> before;
  std::variant<size_t, NodeId> to;  // an index, or the node of a key
};

PickleValue::PickleValue(std::shared_ptr<const PickleDocument> document)
    : document_(std::move(document)), node_(document_->root) {}

PickleValue::PickleValue(std::shared_ptr<const PickleDocument> document, uint32_t node,
                         std::shared_ptr<const Step> way, bool is_key)
    : document_(std::move(document)), node_(node), is_key_(is_key), way_(std::move(way)) {}

template <class T>
const T& PickleValue::get(std::string_view expected) const {
  if (const T* value = std::get_if<T>(&document_->nodes[node_])) return *value;
  fail_kind(expected);
}

void PickleValue::fail_kind(std::string_view expected) const {
  fail("{}: expected {}, found {}", path(), expected, kind());
}

PickleValue PickleValue::entry(uint32_t key, uint32_t value) const {
  return {document_, value, std::make_shared<const Step>(Step{way_, key})};
}

std::string PickleValue::path() const {
  std::vector<std::string> steps;
  for (const Step* step = way_.get(); step; step = step->before.get()) {
    const auto* key = std::get_if<NodeId>(&step->to);
    steps.push_back(key ? key_text(*document_, *key)
                        : fmt::format("[{}]", std::get<size_t>(step->to)));
  }
  if (steps.empty()) return document_->where;
  if (is_key_) steps.front().insert(0, "key ");
  std::ranges::reverse(steps);
  return fmt::format("{}: {}", document_->where, fmt::join(steps, "/"));
}

std::string_view PickleValue::kind() const {
  return kind_name(document_->nodes[node_]);
}

bool PickleValue::is_none() const {
  return std::holds_alternative<None>(document_->nodes[node_]);
}

bool PickleValue::is_list() const {
  const Node& node = document_->nodes[node_];
  return std::holds_alternative<List>(node) || std::holds_alternative<Tuple>(node);
}

bool PickleValue::is_dict() const {
  return std::holds_alternative<Dict>(document_->nodes[node_]);
}

bool PickleValue::is_string() const {
  return std::holds_alternative<std::string>(document_->nodes[node_]);
}

bool PickleValue::is_tensor() const {
  return std::holds_alternative<StoredTensor>(document_->nodes[node_]);
}

bool PickleValue::as_bool() const {
  return get<bool>("a boolean");
}

int64_t PickleValue::as_int() const {
  return get<int64_t>("an integer");
}

double PickleValue::as_double() const {
  if (const auto* integer = std::get_if<int64_t>(&document_->nodes[node_])) {
    return static_cast<double>(*integer);
  }
  return get<double>("a number");
}

const std::string& PickleValue::as_string() const {
  return get<std::string>("a string");
}

const StoredTensor& PickleValue::as_tensor() const {
  return get<StoredTensor>("a tensor");
}

std::string PickleValue::plain_text() const {
  const Node& node = document_->nodes[node_];
  if (is_none()) return "None";
  if (const auto* boolean = std::get_if<bool>(&node)) return *boolean ? "True" : "False";
  if (const auto* integer = std::get_if<int64_t>(&node)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&node)) return fmt::format("{}", *number);
  if (const auto* bytes = std::get_if<Bytes>(&node)) {
    return fmt::format("{} bytes", bytes->bytes.size());
  }
  return quote(get<std::string>("a plain value"));
}

std::vector<int64_t> PickleValue::as_ints() const {
  if (!is_list()) fail_kind("a list of integers");
  std::vector<int64_t> values(size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = (*this)[i].as_int();
  return values;
}

size_t PickleValue::size() const {
  const Node& node = document_->nodes[node_];
  if (const auto* list = std::get_if<List>(&node)) return list->items.size();
  if (const auto* tuple = std::get_if<Tuple>(&node)) return tuple->items.size();
  return get<Dict>("a container").items.size();
}

PickleValue PickleValue::operator[](size_t index) const {
  if (!is_list()) fail_kind("a list");
  if (index >= size())
    fail("{}: expected at least {} entries, found {}", path(), index + 1, size());
  const Node& node = document_->nodes[node_];
  const auto* list = std::get_if<List>(&node);
  return {document_, (list ? list->items : std::get<Tuple>(node).items)[index],
          std::make_shared<const Step>(Step{way_, index})};
}

std::optional<PickleValue> PickleValue::find(std::string_view key) const {
  for (const auto& [name, value] : get<Dict>("a dictionary").items) {
    const auto* text = std::get_if<std::string>(&document_->nodes[name]);
    if (text && *text == key) return entry(name, value);
  }
  return std::nullopt;
}

PickleValue PickleValue::at(std::string_view key) const {
  if (auto value = find(key)) return *std::move(value);
  constexpr size_t kMostListed = 16;
  std::vector<std::string> keys;
  for (const auto& [name, value] : get<Dict>("a dictionary").items) {
    if (keys.size() == kMostListed) break;
    keys.push_back(key_text(*document_, name));
  }
  fail("{}: it has no {}; it has: {}{}", path(), quote(key), fmt::join(keys, ", "),
       keys.size() < size() ? " …" : "");
}

std::vector<std::pair<PickleValue, PickleValue>> PickleValue::entries() const {
  std::vector<std::pair<PickleValue, PickleValue>> result;
  for (const auto& [key, value] : get<Dict>("a dictionary").items) {
    PickleValue item = entry(key, value);
    PickleValue name(document_, key, item.way_, true);
    result.emplace_back(std::move(name), std::move(item));
  }
  return result;
}

}  // namespace dsf
