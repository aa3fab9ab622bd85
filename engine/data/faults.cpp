#include "engine/data/faults.h"

#include <algorithm>

namespace dsf {

std::vector<std::string> Faults::texts() const {
  std::vector<std::string> texts;
  for (const Fault& fault : list_) texts.push_back(fault.text);
  return texts;
}

void Faults::fail_if_any() const {
  constexpr size_t kShown = 5;
  if (list_.empty()) return;
  std::string text = list_.front().text;
  if (list_.size() > 1) {
    text = fmt::format("{} faults in the data (dsf_train --dry-run shows all):", list_.size());
    for (size_t i = 0; i < std::min(kShown, list_.size()); ++i) text += "\n  " + list_[i].text;
    if (list_.size() > kShown) text += "\n  …";
  }
  if (std::ranges::all_of(list_, &Fault::usage)) fail_usage("{}", text);
  fail("{}", text);
}

}  // namespace dsf
