#include "tests/simt/code_place.h"

#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <vector>

namespace dsf::simt {
namespace {

struct Segment {
  uintptr_t begin, end;
  bool writable;
};

struct Program {
  uintptr_t base = 0;
  std::vector<Segment> segments;
};

/// Of the program itself: the first that dl_iterate_phdr names.
const Program& program() {
  static const Program found = [] {
    Program result;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* out) {
          auto& filled = *static_cast<Program*>(out);
          filled.base = info->dlpi_addr;
          for (int i = 0; i < info->dlpi_phnum; ++i) {
            const auto& header = info->dlpi_phdr[i];
            if (header.p_type != PT_LOAD) continue;
            const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
            filled.segments.push_back(
                {begin, begin + header.p_memsz, (header.p_flags & PF_W) != 0});
          }
          return 1;
        },
        &result);
    return result;
  }();
  return found;
}

}  // namespace

std::string code_place(const void* return_address) {
  std::array<char, 4096> path{};
  if (readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return "an unknown place";
  const std::string command =
      fmt::format("addr2line --exe '{}' --demangle --functions --inlines --pretty-print {:#x} 2>&1",
                  path.data(), reinterpret_cast<uintptr_t>(return_address) - program().base - 1);
  std::string text;
  if (FILE* pipe = popen(command.c_str(), "r")) {
    std::array<char, 512> part;
    while (fgets(part.data(), part.size(), pipe)) text += part.data();
    pclose(pipe);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

bool is_constant_data(uintptr_t address) {
  for (const Segment& segment : program().segments) {
    if (address >= segment.begin && address < segment.end) return !segment.writable;
  }
  return false;
}

}  // namespace dsf::simt
