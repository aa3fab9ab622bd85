#pragma once
// Numbers in file names, taken by a form such as "{}-{strength}-{}".
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dsf {

/// A form is text in which {} stands for anything and {name} for a number, the parameter `name`.
/// It must match the whole of a file's name without folders and extension: each field, but for the
/// last, takes as little as possible and at least one character, a field at the end all the rest.
/// So "{}-{strength}-{}" reads 0.5 from "gust-0.5-take-2", and -0.5 from "gust--0.5-take".
class NameForm {
 public:
  /// A form without a parameter, with one twice, with two fields next to each other or a brace that
  /// is not closed is a UsageError; `option` begins its message.
  NameForm(std::string form, std::string_view option);

  const std::vector<std::string>& parameter_names() const { return names_; }
  /// The numbers in their order; an Error, which names the file, where it does not match.
  std::vector<double> read(const std::filesystem::path& file) const;

 private:
  struct Part {
    std::string before;  // the text before the field
    std::string name;    // of the parameter; empty: anything
  };
  std::string form_;
  std::vector<Part> parts_;
  std::string after_;  // the text after the last field
  std::vector<std::string> names_;
};

}  // namespace dsf
