#pragma once
// The first sheet of an Office Open XML workbook (ECMA-376), as Excel, LibreOffice, openpyxl and
// others write it.
#include <cstddef>
#include <span>
#include <string>

#include "engine/files/table.h"

namespace dsf {

/// Reads a workbook's bytes; `source` names it in messages. Cells hold shared or inline text (rich
/// text loses its looks), numbers (dates are numbers), truth values (1 or 0, text TRUE or FALSE), a
/// formula's stored result or an error's text (#N/A).
///
/// The file is treated as hostile: parts are limited in size before and while they are inflated
/// (zip_archive.h) and in elements and attributes before they are parsed, document types and the
/// entities they declare are refused, nothing outside of the archive is looked at, and cells must
/// stand in order and within the limits of table.h. Raises an Error that names part and cell.
Table read_xlsx(std::span<const std::byte> bytes, const std::string& source);

}  // namespace dsf
