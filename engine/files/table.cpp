#include "engine/files/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/files/atomic_file.h"
#include "engine/files/csv.h"
#include "engine/files/xlsx.h"
#include "kernels/common/checks.h"

namespace dsf {

const Cell& Table::cell(size_t row, size_t column) const {
  static const Cell kEmpty;
  const std::vector<Cell>& cells = rows[row].cells;
  return column < cells.size() ? cells[column] : kEmpty;
}

std::string Table::place(size_t row, size_t column) const {
  if (kind == Kind::sheet) {
    return fmt::format("{}, {}{}", source, column_letters(column), rows[row].number);
  }
  return fmt::format("{}, line {}, column {}", source, rows[row].number, column + 1);
}

void TableBuilder::end_row() {
  if (table_.rows.empty()) return;
  std::vector<Cell>& cells = table_.rows.back().cells;
  while (!cells.empty() && cells.back().empty()) cells.pop_back();
  if (cells.empty()) table_.rows.pop_back();
}

void TableBuilder::begin_row(int64_t number) {
  end_row();
  table_.rows.push_back({number, {}});
}

void TableBuilder::add(size_t column, Cell cell) {
  if (cell.empty()) return;
  std::vector<Cell>& cells = table_.rows.back().cells;
  const auto place = [&] { return table_.place(table_.rows.size() - 1, column); };
  if (column >= kMaxTableColumns) {
    fail("{}: at most {} columns are expected", place(), kMaxTableColumns);
  }
  cells_ += column + 1 - cells.size();
  if (cells_ > kMaxTableCells) fail("{}: at most {} cells are expected", place(), kMaxTableCells);
  text_ += cell.text.size();  // of a sheet it can exceed the file: many cells may share one text
  if (text_ > kMaxTableBytes) {
    fail("{}: at most {} bytes of text are expected", place(), kMaxTableBytes);
  }
  cells.resize(column + 1);
  cells.back() = std::move(cell);
}

Table TableBuilder::take() {
  end_row();
  return std::move(table_);
}

std::string column_letters(size_t column) {
  std::string letters;
  for (size_t rest = column + 1; rest > 0; rest = (rest - 1) / 26) {
    letters.insert(letters.begin(), static_cast<char>('A' + (rest - 1) % 26));
  }
  return letters;
}

std::optional<double> parse_decimal(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view point_hint(std::string_view text) {
  return std::ranges::count(text, ',') == 1 ? ", with a point" : "";
}

std::string lower_extension(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return ending;
}

Table read_table(const std::filesystem::path& path) {
  const std::string ending = lower_extension(path);
  if (ending == ".xlsx") return read_xlsx(read_file(path, kMaxTableBytes), path.string());
  if (ending == ".csv") return read_csv(read_file(path, kMaxTableBytes), path.string());
  fail_usage("{}: a data frame is a .xlsx or .csv file", path.string());
}

}  // namespace dsf
