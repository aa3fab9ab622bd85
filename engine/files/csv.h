#pragma once
// Comma-separated values (RFC 4180), read strictly.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "engine/files/table.h"

namespace dsf {

/// Reads a CSV file's bytes; `source` names it in messages. UTF-8 with or without a byte order
/// mark; lines end with LF or CR LF. Fields are separated by commas, or by semicolons where the
/// first line has these and no commas outside of quotes; a first line with both is ambiguous. A
/// quoted field may hold separators, line breaks and doubled quotes. The format does not tell text
/// from numbers: what looks like a number, blanks around it aside, is one. Raises an Error that
/// names line and column: another encoding, zero bytes, a quote inside an unquoted field, text
/// after a closing quote, a quote that is never closed, more cells than table.h allows.
Table read_csv(std::span<const std::byte> bytes, const std::string& source);

/// A field as read_csv reads it back: in quotes where it must be.
std::string csv_field(std::string_view text);

}  // namespace dsf
