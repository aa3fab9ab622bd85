#pragma once
// A data frame: a table that names sound files, their class and their parameters, as upstream's
// later version reads it.
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/faults.h"

namespace dsf {

inline constexpr std::string_view kFileColumn = "Full File Name";
inline constexpr std::string_view kClassColumn = "Class Name";

struct DataFrame {
  struct Row {
    std::string file_name;          // below the data folder
    std::string class_name;         // empty where the frame, at fault, says none
    std::vector<float> parameters;  // finite
    // Where the frame says so, for messages.
    std::string file_place;
    std::string class_place;
  };
  std::string source;  // the frame's own file name
  std::vector<std::string> parameter_names;
  /// Sorted, each once: the order of the one-hot conditioning.
  std::set<std::string> class_names;
  std::vector<Row> rows;  // in the table's order; no file twice
};

/// Reads a .xlsx or .csv file (table.h). Its first row names the columns: `Full File Name` and
/// `Class Name`, and every other one to the right of the latter is a parameter; what stands to its
/// left is not looked at. Blanks around names do not count, rows without any text are skipped.
///
/// A file that cannot be read, has no rows, lacks one of the two columns, or has two columns of one
/// name is an Error. What is wrong with a single cell goes to `faults` with its place: no file
/// name or one that was there before (such rows are left out), no class, a parameter that is no
/// finite float (it counts as 0), a value in a column without a name.
DataFrame read_data_frame(const std::filesystem::path& path, Faults& faults);

/// The same of a table that says no classes: its parameters are right of `Full File Name`.
DataFrame read_parameter_table(const std::filesystem::path& path, Faults& faults);

}  // namespace dsf
