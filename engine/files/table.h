#pragma once
// A table as a spreadsheet or a CSV file holds it: rows of cells, each with its place for messages.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

struct Cell {
  std::string text;              // as the file writes it; empty where there is nothing
  std::optional<double> number;  // finite, where the cell is one

  bool empty() const { return text.empty(); }
};

struct Table {
  enum class Kind { sheet, lines };
  /// A row with at least one cell that is not empty. It ends with its last such cell.
  struct Row {
    int64_t number = 0;  // of the sheet's row, or of the line it begins in; from 1
    std::vector<Cell> cells;
  };

  Kind kind = Kind::sheet;
  std::string source;  // file name, for messages
  std::vector<Row> rows;

  /// The cell, or an empty one where the row does not reach so far.
  const Cell& cell(size_t row, size_t column) const;
  /// "sounds.xlsx, B7" or "sounds.csv, line 7, column 2". Counted from 0.
  std::string place(size_t row, size_t column) const;
};

// What a file may make a reader hold; beyond it a reader raises an Error.
inline constexpr uint64_t kMaxTableBytes = uint64_t{32}
                                           << 20;  // of the file, and of all its cells' text
inline constexpr size_t kMaxTableColumns = 1000;
inline constexpr size_t kMaxTableCells = 4'000'000;

/// Builds a table cell by cell, and raises an Error that names the place at the limits above.
class TableBuilder {
 public:
  TableBuilder(Table::Kind kind, std::string source) : table_{kind, std::move(source), {}} {}

  /// Cells go to this row from now on; numbers must increase.
  void begin_row(int64_t number);
  /// Columns are counted from 0 and must increase within a row.
  void add(size_t column, Cell cell);
  Table take();

 private:
  void end_row();

  Table table_;
  size_t cells_ = 0;
  size_t text_ = 0;  // bytes
};

/// "A", "Z", "AA" … of columns 0, 25, 26 …
std::string column_letters(size_t column);

/// The finite decimal number that the whole of `text` is ("0.5", "-3", "1e-3"; not " 5", not "+5").
std::optional<double> parse_decimal(std::string_view text);

/// Without the blanks, tabs and line breaks at both ends.
std::string_view trimmed(std::string_view text);

/// ", with a point" where a decimal comma may be why a text is no number, else nothing: a hint for
/// messages.
std::string_view point_hint(std::string_view text);

/// A file name's ending (".csv") in lower case: programs elsewhere write it in capitals too.
std::string lower_extension(const std::filesystem::path& path);

/// Reads a .xlsx (its first sheet) or .csv file, told apart by the name's ending; another one is a
/// UsageError. See xlsx.h and csv.h.
Table read_table(const std::filesystem::path& path);

}  // namespace dsf
