#pragma once
// The memory of the simulated device: what is allocated where, what has been written, and who used
// it last.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/simt/race.h"

namespace dsf::simt {

/// A piece of device memory, or a shared array of the block that runs.
class Buffer {
 public:
  Buffer(std::string what, std::byte* memory, size_t bytes)
      : name(std::move(what)),
        data(memory),
        begin(reinterpret_cast<uintptr_t>(memory)),
        size(bytes) {}

  /// The cells of bytes begin+offset … +count−1. Cells are as large as the smallest access seen so
  /// far, four bytes at first, so that neighbours within a word are told apart where they matter.
  std::pair<Cell*, Cell*> cells(size_t offset, size_t count) {
    if (cells_.empty() || !on_cells(offset | count)) make_cells(offset | count);
    return {cells_.data() + (offset >> shift_), cells_.data() + ((offset + count) >> shift_)};
  }
  /// Nothing has been written; the contents become a pattern of NaNs.
  void poison();
  /// What lies in the `count` bytes from `address` on is lost.
  void mark_unwritten(uintptr_t address, size_t count);
  /// The host has written bytes offset … +count−1.
  void mark_written(size_t offset, size_t count);
  /// The offset of the first byte among offset … +count−1 that nobody has written, or −1.
  int64_t first_unwritten(size_t offset, size_t count);

  uintptr_t end() const { return begin + size; }

  std::string name;
  std::byte* data;
  uintptr_t begin;  // of data
  size_t size;
  bool freed = false;

 private:
  bool on_cells(size_t bytes) const { return (bytes & ((size_t{1} << shift_) - 1)) == 0; }
  /// Cells of which offsets and counts with these bits are whole ones.
  void make_cells(size_t bits);
  void refine(unsigned shift);

  unsigned shift_ = 2;  // log2 of a cell's bytes
  std::vector<Cell> cells_;
};

/// A range of addresses of its own. Buffers begin on pages (so they are aligned as cudaMalloc's)
/// and are followed by a page that belongs to nobody; addresses are never used again, so that a use
/// after the end of a buffer's life is found too.
class Region {
 public:
  explicit Region(size_t reserved_bytes);
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Buffer& add(const std::string& name, size_t bytes);
  void remove(Buffer& buffer);

  bool contains(uintptr_t address) const { return address >= begin_ && address < begin_ + size_; }
  /// The living buffer on whose pages `address` lies, or null.
  Buffer* find(uintptr_t address) const { return pages_[(address - begin_) / kPage].buffer; }
  /// Where `address` lies, in words: "4 bytes behind device buffer 2 (of 48 bytes)".
  std::string describe(uintptr_t address) const;

  /// Whether the processor may access the region, which kernels open: what of it is no buffer's
  /// their accesses are checked for one by one.
  void set_open(bool open);
  /// The same of a buffer, which copies open.
  static void protect(const Buffer& buffer, bool open);

 private:
  static constexpr size_t kPage = 4096;

  struct Page {
    Buffer* buffer;
  };
  Page* pages_of(const Buffer& buffer) const { return pages_ + (buffer.begin - begin_) / kPage; }

  std::byte* memory_;
  uintptr_t begin_;
  size_t size_;
  size_t used_ = kPage;
  bool open_ = false;
  Page* pages_;
  std::map<uintptr_t, std::unique_ptr<Buffer>> buffers_;  // the freed ones too, for describe
};

/// cudaMalloc's memory: closed to the host but for copies, as a GPU's is.
Region& device_memory();
/// The shared arrays of the block that runs.
Region& shared_memory();

}  // namespace dsf::simt
