#pragma once
// What a data file's name says about its sound: "Class--Param-01.00--c-02--x-88.dac", where
// neither the class nor the parameter's name holds a '-' and the rest is not looked at.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dsf {

struct FileNameConditioning {
  std::string file;  // whose name it is, for messages
  std::string class_name;
  std::string parameter_name;
  float value = 0;  // of the parameter
};

/// Takes a file's name apart; one of another form is an Error that shows the form.
FileNameConditioning parse_file_name(const std::filesystem::path& file);

/// A conditioning vector: 1 at the place of the class, then the parameter's value if the model
/// takes one. Classes are found under their name or one of their aliases (otherwise a UsageError
/// lists them); a model without classes has no such part. Names carry one parameter: a
/// num_parameters above 1 is a UsageError.
std::vector<float> conditioning_vector(const FileNameConditioning& conditioning,
                                       const std::vector<std::string>& class_names,
                                       const std::vector<std::vector<std::string>>& class_aliases,
                                       int64_t num_parameters);

}  // namespace dsf
