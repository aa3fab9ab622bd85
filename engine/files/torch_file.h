#pragma once
// What torch.save writes (since PyTorch 1.6): a zip archive of a pickle and the elements of its
// tensors, one uncompressed entry for each storage.
#include <filesystem>

#include "engine/files/pickle.h"

namespace dsf {

/// Whether a file's name says that it is such an archive: it ends with .pth or .pt.
bool is_torch_name(const std::filesystem::path& path);

/// Reads the whole file; nothing in it can run (see read_pickle). Tensors come dense. Raises an
/// Error that names the file and the entry if it is not such an archive, is damaged (the checksum
/// of every entry that is used is verified), compressed, big-endian, or of the format before 1.6.
/// Without the elements of its tensors, only the little is read that the file says of itself.
PickleValue read_torch_file(const std::filesystem::path& path,
                            WithElements elements = WithElements::yes);

}  // namespace dsf
