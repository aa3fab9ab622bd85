#pragma once
// The recordings of a folder: their classes, and the parameters that somebody says they have.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/dataset/dataset_request.h"

namespace dsf {

/// By which it shows whether a file is still the one that it was.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t modified = 0;  // nanoseconds since 1970

  bool operator==(const FileStamp&) const = default;
};

struct Recording {
  std::filesystem::path path;
  std::string name;  // below the folder, with '/'
  std::string class_name;
  std::vector<double> parameters;
  FileStamp stamp{};  // when it was found
};

struct Recordings {
  std::vector<Recording> list;  // by name
  std::vector<std::string> parameter_names;
  std::vector<std::string> parameter_sources;  // of each, for people: "file names", a table's name
  std::vector<std::string> remarks;            // what a user should know
};

/// All sound files below the folder, at any depth; none is opened. The class is the first folder on
/// the way, or, of a file directly in the folder, what its name says (file_name_conditioning.h).
/// Parameters come from the fields of the names and from the table, in this order; where neither is
/// given and all files lie directly in the folder, from their names as well, called param1 where
/// they do not agree. Everything that is wrong is in one Error: a name of another form, a
/// recording that the table lacks, a line of the table that no recording has, a parameter from two
/// places. An ill-formed form is a UsageError.
Recordings find_recordings(const DatasetRequest& request);

}  // namespace dsf
