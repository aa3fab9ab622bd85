#include "tests/simt/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernels/common/checks.h"

namespace dsf::simt {
namespace {

// Bytes of memory that nobody has written: as float, bf16 and half a NaN, as int −1.
constexpr int kPoison = 0xFF;

void* reserve(size_t bytes, int protection) {
  void* memory =
      mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    fail("the simulation cannot reserve {} bytes of addresses: {}", bytes, std::strerror(errno));
  }
  return memory;
}

}  // namespace

void Buffer::make_cells(size_t bits) {
  if (cells_.empty()) cells_.resize((size + 3) / 4);
  while (!on_cells(bits)) refine(shift_ - 1);
}

void Buffer::refine(unsigned shift) {
  std::vector<Cell> fine(((size - 1) >> shift) + 1);
  const unsigned step = shift_ - shift;
  for (size_t i = 0; i < fine.size(); ++i) fine[i] = cells_[i >> step];
  cells_ = std::move(fine);
  shift_ = shift;
}

void Buffer::poison() {
  std::fill(cells_.begin(), cells_.end(), Cell{});
  std::memset(data, kPoison, size);
}

void Buffer::mark_written(size_t offset, size_t count) {
  const auto [first, last] = cells(offset, count);
  for (Cell* cell = first; cell != last; ++cell) {
    *cell = Cell{};
    cell->written = true;
  }
}

void Buffer::mark_unwritten(uintptr_t address, size_t count) {
  const auto [first, last] = cells(address - begin, count);
  for (Cell* cell = first; cell != last; ++cell) cell->written = false;
  std::memset(data + (address - begin), kPoison, count);
}

int64_t Buffer::first_unwritten(size_t offset, size_t count) {
  const auto [first, last] = cells(offset, count);
  const Cell* found = std::find_if(first, last, [](const Cell& cell) { return !cell.written; });
  return found == last ? -1 : static_cast<int64_t>(offset) + ((found - first) << shift_);
}

Region::Region(size_t reserved_bytes)
    : memory_(static_cast<std::byte*>(reserve(reserved_bytes, PROT_NONE))),
      begin_(reinterpret_cast<uintptr_t>(memory_)),
      size_(reserved_bytes),
      pages_(static_cast<Page*>(
          reserve(reserved_bytes / kPage * sizeof(Page), PROT_READ | PROT_WRITE))) {}

Buffer& Region::add(const std::string& name, size_t bytes) {
  const size_t pages = (bytes + kPage - 1) / kPage;
  if (used_ + (pages + 1) * kPage > size_) {
    fail("the simulation has used up its {} bytes of addresses", size_);
  }
  std::byte* data = memory_ + used_;
  used_ += (pages + 1) * kPage;
  if (mprotect(data, pages * kPage, PROT_READ | PROT_WRITE) != 0) {
    fail("the simulation cannot allocate {} bytes: {}", bytes, std::strerror(errno));
  }
  auto owned = std::make_unique<Buffer>(name, data, bytes);
  Buffer& buffer = *owned;
  buffers_[buffer.begin] = std::move(owned);
  std::fill_n(pages_of(buffer), pages, Page{&buffer});
  buffer.poison();
  protect(buffer, open_);
  return buffer;
}

void Region::remove(Buffer& buffer) {
  const size_t pages = (buffer.size + kPage - 1) / kPage;
  std::fill_n(pages_of(buffer), pages, Page{nullptr});
  madvise(buffer.data, pages * kPage, MADV_DONTNEED);
  mprotect(buffer.data, pages * kPage, PROT_NONE);
  // Its name stays, for those who use it all the same.
  auto freed = std::make_unique<Buffer>(buffer.name, buffer.data, buffer.size);
  freed->freed = true;
  buffers_[freed->begin] = std::move(freed);
}

void Region::protect(const Buffer& buffer, bool open) {
  mprotect(buffer.data, buffer.size, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void Region::set_open(bool open) {
  open_ = open;
  // In one call, as a model has hundreds of buffers: what lies between them is open with them.
  mprotect(memory_, used_, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

std::string Region::describe(uintptr_t address) const {
  const auto after = buffers_.upper_bound(address);
  if (after != buffers_.begin()) {
    const Buffer& before = *std::prev(after)->second;
    if (before.freed) return fmt::format("in {}, which was freed", before.name);
    if (address < before.end()) {
      return fmt::format("byte {} of {}", address - before.begin, before.name);
    }
    const uintptr_t behind = address - before.end();
    if (after == buffers_.end() || behind < after->first - address) {
      return fmt::format("{} bytes behind the end of {}", behind, before.name);
    }
  }
  if (after == buffers_.end()) return "where nothing was ever allocated";
  return fmt::format("{} bytes before {}", after->first - address, after->second->name);
}

Region& device_memory() {
  static Region region(size_t{1} << 38);
  return region;
}

Region& shared_memory() {
  static Region& region = []() -> Region& {
    static Region shared(size_t{1} << 34);
    shared.set_open(true);
    return shared;
  }();
  return region;
}

}  // namespace dsf::simt
