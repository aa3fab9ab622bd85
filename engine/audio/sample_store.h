#pragma once
// Samples that are kept while they are made, and read when all are there.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/files/scratch_file.h"

namespace dsf {

class SampleStore {
 public:
  virtual ~SampleStore() = default;
  /// All of them come before the first read.
  virtual void append(std::span<const float> samples) = 0;
  /// Fills `target` with the samples from `first` on, which must be there.
  virtual void read(int64_t first, std::span<float> target) = 0;
};

class SamplesInMemory : public SampleStore {
 public:
  void append(std::span<const float> samples) override {
    samples_.insert(samples_.end(), samples.begin(), samples.end());
  }
  void read(int64_t first, std::span<float> target) override {
    std::copy_n(samples_.begin() + first, target.size(), target.begin());
  }

 private:
  std::vector<float> samples_;
};

/// In a ScratchFile: they take no memory.
class SamplesInFile : public SampleStore {
 public:
  SamplesInFile(const std::filesystem::path& folder, std::string owner)
      : file_(folder, std::move(owner)) {}
  void append(std::span<const float> samples) override { file_.append(std::as_bytes(samples)); }
  void read(int64_t first, std::span<float> target) override {
    file_.read(static_cast<uint64_t>(first) * sizeof(float), std::as_writable_bytes(target));
  }

 private:
  ScratchFile file_;
};

}  // namespace dsf
