#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace dsf::simt {

/// Function, file and line of the code before `return_address`, with the functions it was inlined
/// into, as binutils' addr2line knows them.
std::string code_place(const void* return_address);

/// Whether `address` lies in constant data of this program.
bool is_constant_data(uintptr_t address);

}  // namespace dsf::simt
