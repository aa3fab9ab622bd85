#include "engine/data/data_frame.h"

#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <optional>

#include "engine/files/quote.h"
#include "engine/files/table.h"

namespace dsf {
namespace {

/// What a cell holds, for a message.
std::string found(const Cell& cell) {
  return trimmed(cell.text).empty() ? "nothing" : quote(cell.text);
}

/// The columns of a frame, by place.
struct Columns {
  size_t file = 0;
  std::optional<size_t> class_name;
  std::map<size_t, std::string> parameters;

  /// The parameters are right of this.
  size_t last_name() const { return class_name.value_or(file); }

  Columns(const Table& table, bool with_classes) {
    std::map<std::string, size_t> by_name;
    std::vector<std::string> names;
    for (size_t column = 0; column < table.rows[0].cells.size(); ++column) {
      const std::string name{trimmed(table.cell(0, column).text)};
      if (name.empty()) continue;
      const auto [first, is_new] = by_name.emplace(name, column);
      if (!is_new) {
        fail("{}: the column {} was there before, in {}", table.place(0, column), quote(name),
             table.place(0, first->second));
      }
      names.push_back(quote(name));
    }
    for (const std::string_view needed : {kFileColumn, kClassColumn}) {
      if (needed == kClassColumn && !with_classes) continue;
      if (by_name.contains(std::string(needed))) continue;
      fail("{}: no column '{}'; its first row names {}", table.source, needed,
           names.empty() ? "no columns" : fmt::format("{}", fmt::join(names, ", ")));
    }
    file = by_name.at(std::string(kFileColumn));
    if (with_classes) class_name = by_name.at(std::string(kClassColumn));
    for (const auto& [name, column] : by_name) {
      if (column > last_name() && column != file) parameters.emplace(column, name);
    }
  }
};

class FrameReader {
 public:
  FrameReader(const Table& table, bool with_classes, Faults& faults)
      : table_(table), columns_(table, with_classes), faults_(faults) {
    frame_.source = table.source;
    for (const auto& [column, name] : columns_.parameters) frame_.parameter_names.push_back(name);
  }

  DataFrame read() {
    for (size_t row = 1; row < table_.rows.size(); ++row) read_row(row);
    return std::move(frame_);
  }

 private:
  void read_row(size_t row) {
    DataFrame::Row result;
    result.file_name = text(row, columns_.file, "a file name");
    result.file_place = table_.place(row, columns_.file);
    if (columns_.class_name) {
      result.class_name = text(row, *columns_.class_name, "a class");
      result.class_place = table_.place(row, *columns_.class_name);
    }
    for (const auto& [column, name] : columns_.parameters) {
      result.parameters.push_back(number(row, column, name));
    }
    refuse_unnamed(row);
    if (!take_name(result)) return;
    if (!result.class_name.empty()) frame_.class_names.insert(result.class_name);
    frame_.rows.push_back(std::move(result));
  }

  std::string text(size_t row, size_t column, std::string_view expected) {
    const Cell& cell = table_.cell(row, column);
    std::string text{trimmed(cell.text)};
    if (text.empty()) {
      faults_.add(
          fmt::format("{}: {}, expected {}", table_.place(row, column), found(cell), expected));
    }
    return text;
  }

  float number(size_t row, size_t column, const std::string& name) {
    const Cell& cell = table_.cell(row, column);
    const auto value = static_cast<float>(cell.number.value_or(NAN));
    if (std::isfinite(value)) return value;
    faults_.add(fmt::format("{}: {} is {}, expected a number such as 0.5{}",
                            table_.place(row, column), quote(name), found(cell),
                            point_hint(cell.text)));
    return 0;
  }

  void refuse_unnamed(size_t row) {
    for (size_t column = columns_.last_name() + 1; column < table_.rows[row].cells.size();
         ++column) {
      const Cell& cell = table_.cell(row, column);
      const bool named = column == columns_.file || columns_.parameters.contains(column);
      if (named || trimmed(cell.text).empty()) continue;
      faults_.add(fmt::format("{}: {} in a column without a name", table_.place(row, column),
                              quote(cell.text)));
    }
  }

  /// Whether no row before this one has its file name; if one has, that is a fault.
  bool take_name(const DataFrame::Row& row) {
    if (row.file_name.empty()) return false;
    const auto key = std::filesystem::path(row.file_name).lexically_normal().string();
    const auto [first, is_new] = places_.emplace(key, row.file_place);
    if (!is_new) {
      faults_.add(fmt::format("{}: {} was there before, in {}", row.file_place,
                              quote(row.file_name), first->second));
    }
    return is_new;
  }

  const Table& table_;
  Columns columns_;
  Faults& faults_;
  DataFrame frame_;
  std::map<std::string, std::string> places_;  // of the file names so far
};

DataFrame read_frame(const std::filesystem::path& path, bool with_classes, Faults& faults) {
  const Table table = read_table(path);
  if (table.rows.empty()) fail("{}: it is empty", path.string());
  DataFrame frame = FrameReader(table, with_classes, faults).read();
  if (table.rows.size() == 1) fail("{}: no rows below the names of the columns", path.string());
  return frame;
}

}  // namespace

DataFrame read_data_frame(const std::filesystem::path& path, Faults& faults) {
  return read_frame(path, true, faults);
}

DataFrame read_parameter_table(const std::filesystem::path& path, Faults& faults) {
  return read_frame(path, false, faults);
}

}  // namespace dsf
