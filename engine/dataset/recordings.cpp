#include "engine/dataset/recordings.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "engine/codec/encode_files.h"
#include "engine/data/data_frame.h"
#include "engine/data/faults.h"
#include "engine/data/file_name_conditioning.h"
#include "engine/dataset/name_fields.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/files/table.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownFaults = 20;

/// Of zeros where the file cannot be looked at, which is told when it is read.
FileStamp stamp_of(const fs::path& path) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(path, error);
  if (error) return {};
  const auto changed = fs::last_write_time(path, error);
  if (error) return {};
  const auto since = fs::file_time_type::clock::to_sys(changed).time_since_epoch();
  return {bytes, std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

class Labeller {
 public:
  Labeller(const DatasetRequest& request, Faults& faults) : request_(request), faults_(faults) {}

  Recordings label() {
    std::optional<NameForm> form;
    if (!request_.fields.empty()) form.emplace(request_.fields, "--fields");
    list();
    if (form) add_fields(*form);
    if (!request_.parameters.empty()) add_table();
    if (!form && request_.parameters.empty()) add_named_parameter();
    for (const Measure measure : request_.measures) {  // which dataset_plan adds
      check_new(std::string(name_of(measure)), "--measure");
    }
    for (const std::string& name : result_.parameter_names) {
      if (name == kFileColumn || name == kClassColumn) {
        faults_.add(fmt::format("a parameter cannot be called {}", quote(name)));
      }
    }
    return std::move(result_);
  }

 private:
  void list() {
    const auto add = [](const std::string& text) { throw Error(text); };
    if (!fs::is_directory(request_.folder)) {
      fail("{}: expected a folder of recordings", request_.folder.string());
    }
    for (const FileJob& job :
         list_file_jobs({request_.folder}, "", {is_sound_file, "sound files", ".dac"}, add)) {
      Recording recording{job.input,
                          job.input.lexically_relative(request_.folder).generic_string(),
                          "",
                          {},
                          stamp_of(job.input)};
      faults_.collect("", [&] {
        recording.class_name = class_of(recording);
        result_.list.push_back(std::move(recording));
      });
    }
    std::ranges::sort(result_.list, {}, &Recording::name);
  }

  std::string class_of(const Recording& recording) {
    const size_t slash = recording.name.find('/');
    if (slash != std::string::npos) {
      std::string class_name{trimmed(recording.name.substr(0, slash))};
      if (class_name.empty()) {
        fail("{}: the folder's name, its class, is blank: rename it", recording.path.string());
      }
      return class_name;
    }
    try {
      FileNameConditioning named = parse_file_name(recording.path);
      std::string class_name{trimmed(named.class_name)};
      if (class_name.empty() || trimmed(named.parameter_name).empty()) fail("a blank name");
      named_.emplace(recording.name, std::move(named));
      return class_name;
    } catch (const Error&) {
      fail(
          "{}: of which class is it? Put it into a folder with the class's name ({}), or name it "
          "Class--Parameter-01.00-…{}",
          recording.path.string(), (request_.folder / "CLASS" / recording.path.filename()).string(),
          recording.path.extension().string());
    }
  }

  /// A fault if there is a parameter of this name already.
  void check_new(const std::string& name, const std::string& source) {
    const auto known = std::ranges::find(result_.parameter_names, name);
    if (known == result_.parameter_names.end()) return;
    const auto at = static_cast<size_t>(known - result_.parameter_names.begin());
    faults_.add(fmt::format("the parameter {} comes from {} and from {}", quote(name),
                            result_.parameter_sources[at], source));
  }

  void add_parameter(const std::string& name, const std::string& source) {
    check_new(name, source);
    result_.parameter_names.push_back(name);
    result_.parameter_sources.push_back(source);
  }

  void add_fields(const NameForm& form) {
    for (const std::string& name : form.parameter_names()) add_parameter(name, "file names");
    for (Recording& recording : result_.list) {
      faults_.collect("", [&] { recording.parameters = form.read(recording.path); });
    }
  }

  void add_table() {
    const std::string source = request_.parameters.string();
    DataFrame table;
    faults_.collect("", [&] { table = read_parameter_table(request_.parameters, faults_); });
    if (table.source.empty()) return;
    if (table.parameter_names.empty()) {
      faults_.add(fmt::format("{}: no parameters: expected named columns right of '{}'", source,
                              kFileColumn));
    }
    for (const std::string& name : table.parameter_names) add_parameter(name, source);
    std::map<std::string, const DataFrame::Row*> rows;
    for (const DataFrame::Row& row : table.rows) {
      rows.emplace(fs::path(row.file_name).lexically_normal().generic_string(), &row);
    }
    for (Recording& recording : result_.list) {
      const auto found = rows.find(recording.name);
      if (found == rows.end()) {
        faults_.add(fmt::format("{}: {} has no line for {}", recording.path.string(), source,
                                quote(recording.name)));
        continue;
      }
      for (const float value : found->second->parameters) {
        recording.parameters.push_back(static_cast<double>(value));
      }
      rows.erase(found);
    }
    for (const auto& [name, row] : rows) {
      faults_.add(fmt::format("{}: no recording {} below {}", row->file_place, quote(name),
                              request_.folder.string()));
    }
  }

  /// The one parameter that names of the form Class--Parameter-01.00 carry.
  void add_named_parameter() {
    if (named_.empty()) return tell_of_names_in_folders();
    if (named_.size() < result_.list.size()) {
      result_.remarks.push_back(fmt::format(
          "the parameters in the names of {} directly in {} are not taken, as "
          "recordings in folders have none: --fields or --parameters names them for all",
          counted(named_.size(), "file"), request_.folder.string()));
      return;
    }
    std::set<std::string> names;
    for (const auto& [file, named] : named_) names.insert(named.parameter_name);
    add_parameter(names.size() == 1 ? *names.begin() : "param1", "file names");
    for (Recording& recording : result_.list) {
      // As exact as the name's digits: the float is the nearest to them.
      recording.parameters.push_back(static_cast<double>(named_.at(recording.name).value));
    }
  }

  /// A folder's name is the class of what is in it, whatever the files are called.
  void tell_of_names_in_folders() {
    const auto carries_parameter = [](const Recording& recording) {
      try {
        parse_file_name(recording.path);
        return true;
      } catch (const Error&) {
        return false;
      }
    };
    if (result_.list.empty() || !std::ranges::all_of(result_.list, carries_parameter)) return;
    result_.remarks.push_back(
        "the numbers in the files' names are not taken, as the files are in folders: --fields "
        "takes them, as in --fields '{}--{}-{strength}-{}'");
  }

  const DatasetRequest& request_;
  Faults& faults_;
  Recordings result_;
  std::map<std::string, FileNameConditioning> named_;  // by the names of the recordings
};

}  // namespace

Recordings find_recordings(const DatasetRequest& request) {
  Faults faults;
  Recordings recordings = Labeller(request, faults).label();
  faults.fail_if_any(kShownFaults, "");
  return recordings;
}

}  // namespace dsf
