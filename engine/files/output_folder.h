#pragma once
#include <filesystem>

namespace dsf {

/// Makes the folder if it is not there; an Error if files cannot be written to it. Asked before the
/// work whose results are to go there.
void prepare_output_folder(const std::filesystem::path& folder);

/// The same error where there would be one, and nothing is left of what was made to find out.
void check_output_folder(const std::filesystem::path& folder);

/// Removes a file if it is there; an Error where it cannot be.
void remove_output(const std::filesystem::path& file);

}  // namespace dsf
