#include "engine/data/faults.h"

#include <algorithm>

namespace dsf {

std::vector<std::string> Faults::texts() const {
  std::vector<std::string> texts;
  for (const Fault& fault : list_) texts.push_back(fault.text);
  return texts;
}

void Faults::fail_if_any(size_t shown, std::string_view advice) const {
  if (list_.empty()) return;
  std::string text = list_.front().text;
  if (list_.size() > 1) {
    text = fmt::format("{} faults in the data{}:", list_.size(), advice);
    for (size_t i = 0; i < std::min(shown, list_.size()); ++i) text += "\n  " + list_[i].text;
    if (list_.size() > shown) text += "\n  …";
  }
  if (std::ranges::all_of(list_, &Fault::usage)) fail_usage("{}", text);
  fail("{}", text);
}

}  // namespace dsf
