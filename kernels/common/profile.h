#pragma once
// Named time ranges: every op opens one, so that a run can say where its time went.
#include <chrono>
#include <string>
#include <vector>

namespace dsf {

struct ProfileEntry {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;
};

/// Starts collecting (and forgets what was collected). Off at start: a range then costs one load.
void profile_start();
/// Stops collecting and returns the ranges seen, the longest total first.
std::vector<ProfileEntry> profile_stop();

class ProfileRange {
 public:
  explicit ProfileRange(const char* name);
  ~ProfileRange();
  ProfileRange(const ProfileRange&) = delete;
  ProfileRange& operator=(const ProfileRange&) = delete;

 private:
  const char* name_;  // nullptr while not collecting
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace dsf
