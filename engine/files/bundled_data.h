#pragma once
// The codec, the data set and the model that come with dsf.
#include <filesystem>
#include <string>

namespace dsf {

/// Where they lie: the folder that the environment variable DSF_DATA names, if it is set, else
/// data/ of the source tree that dsf was built from.
std::filesystem::path data_folder();

// The places of the codec's weights and of the model below it, whether there is such a file or not.
std::filesystem::path bundled_codec();
std::filesystem::path bundled_model();

/// Whether `file`, one of these, is there.
bool is_bundled(const std::filesystem::path& file);

/// Where `file`, one of these, was looked for, what is wrong with it, and where else it may be:
/// "/x/models/… is not there (the environment variable DSF_DATA names /x; …)".
std::string describe_missing(const std::filesystem::path& file);

}  // namespace dsf
