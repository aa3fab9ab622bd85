// Morph files in CSV; the columns are described in morph_file.h.
#include <algorithm>

#include "engine/files/csv.h"
#include "engine/files/quote.h"
#include "engine/generation/morph_builder.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

class CsvMorph {
 public:
  CsvMorph(const Table& table, MorphBuilder& builder) : table_(table), builder_(builder) {
    if (table.rows.empty()) {
      fail_usage("{}: empty; expected a header: time, then names of classes and parameters",
                 table.source);
    }
    const std::string time = text(0, 0);
    if (time != "time" && time != "relative_time") {
      fail_usage("{}: the header begins with {}, expected time (seconds) or relative_time (0 … 1)",
                 table.place(0, 0), quote(time));
    }
    builder.set_unit(time == "time" ? MorphFile::Unit::seconds : MorphFile::Unit::relative);
    for (size_t column = 1; column < table.rows[0].cells.size(); ++column) read_header(column);
    if (components_.empty()) {
      fail_usage("{}: no column names a class or a parameter", table.place(0, 0));
    }
  }

  void read_row(size_t row) const {
    MorphPoint point;
    point.time = number(row, 0, "time");
    for (size_t column = 1; column < table_.rows[row].cells.size(); ++column) {
      const std::string value = text(row, column);
      if (value.empty()) continue;
      if (column >= table_.rows[0].cells.size()) {
        fail_usage("{}: {} stands beyond the header's last column", table_.place(row, column),
                   quote(value));
      }
      if (column == interpolation_) {
        point.interpolation = parse_interpolation(table_.place(row, column), value);
      } else {
        point.values[components_.at(column)] = number(row, column, text(0, column));
      }
    }
    builder_.add(table_.place(row, 0), std::move(point));
  }

 private:
  /// Without the blanks that are typed after separators.
  std::string text(size_t row, size_t column) const {
    return std::string(trimmed(table_.cell(row, column).text));
  }

  void read_header(size_t column) {
    const std::string name = text(0, column);
    const std::string place = table_.place(0, column);
    for (size_t before = 0; before < column; ++before) {
      if (text(0, before) == name) {
        fail_usage("{}: {} heads two columns", place, quote(name));
      }
    }
    if (name == "interpolation") {
      interpolation_ = column;
    } else {
      components_[column] = builder_.component(place, name);
    }
  }

  double number(size_t row, size_t column, std::string_view what) const {
    const Cell& cell = table_.cell(row, column);
    if (!cell.number) {
      const std::string found = text(row, column);
      fail_usage("{}: {} is {}, expected a number{}", table_.place(row, column), what,
                 found.empty() ? "empty" : quote(found), point_hint(found));
    }
    return *cell.number;
  }

  const Table& table_;
  MorphBuilder& builder_;
  std::map<size_t, size_t> components_;  // by column
  size_t interpolation_ = 0;             // its column; 0: none
};

/// A morph is what the user writes: what is wrong with it is misuse, whatever reads it.
Table read_as_usage(std::string_view text, const std::string& where) {
  try {
    return read_csv(std::as_bytes(std::span(text)), where);
  } catch (const Error& error) {
    fail_usage("{}", error.what());
  }
}

}  // namespace

void parse_morph_csv(std::string_view text, const std::string& where, MorphBuilder& builder) {
  const Table table = read_as_usage(text, where);
  const CsvMorph morph(table, builder);
  for (size_t row = 1; row < table.rows.size(); ++row) morph.read_row(row);
}

}  // namespace dsf
