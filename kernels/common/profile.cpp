#include "kernels/common/profile.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string_view>

namespace dsf {
namespace {

std::atomic<bool> collecting{false};
std::mutex mutex;
std::map<std::string_view, ProfileEntry>& entries() {
  static std::map<std::string_view, ProfileEntry> map;
  return map;
}

}  // namespace

void profile_start() {
  const std::lock_guard lock(mutex);
  entries().clear();
  collecting = true;
}

std::vector<ProfileEntry> profile_stop() {
  collecting = false;
  const std::lock_guard lock(mutex);
  std::vector<ProfileEntry> result;
  for (const auto& [name, entry] : entries()) result.push_back(entry);
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return result;
}

ProfileRange::ProfileRange(const char* name)
    : name_(collecting.load(std::memory_order_relaxed) ? name : nullptr) {
  if (name_) begin_ = std::chrono::steady_clock::now();
}

ProfileRange::~ProfileRange() {
  if (!name_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
  const std::lock_guard lock(mutex);
  ProfileEntry& entry = entries()[name_];
  entry.name = name_;
  ++entry.calls;
  entry.seconds += elapsed.count();
}

}  // namespace dsf
