#include "engine/data/dataset.h"

#include <algorithm>
#include <set>

#include "engine/data/file_name_conditioning.h"
#include "engine/files/dac_file.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> list_dac_files(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".dac") files.push_back(entry->path());
  }
  if (error) fail("{}: cannot read this folder: {}", directory.string(), error.message());
  if (files.empty()) fail("{}: no .dac files in this folder", directory.string());
  std::ranges::sort(files);
  return files;
}

/// Appends a file's codes as [frames, N].
void append_tokens(const fs::path& path, const ModelConfig& model, std::vector<int32_t>& tokens) {
  const DacFile file = read_dac(path);
  if (file.channels != 1) {
    fail("{}: {} channels, expected 1", path.string(), file.channels);
  }
  if (file.n_codebooks < model.num_codebooks) {
    fail("{}: {} codebooks, expected at least num_tokens = {}", path.string(), file.n_codebooks,
         model.num_codebooks);
  }
  if (file.frames != model.max_length + 1) {
    fail("{}: {} frames, expected Tt + 1 = {}", path.string(), file.frames, model.max_length + 1);
  }
  for (int64_t t = 0; t < file.frames; ++t) {
    for (int64_t n = 0; n < model.num_codebooks; ++n) {
      const int32_t code = file.codes[static_cast<size_t>(n * file.frames + t)];
      if (code >= model.vocab_size) {
        fail("{}: code {} in codebook {}, frame {}; expected codes below vocab_size = {}",
             path.string(), code, n, t, model.vocab_size);
      }
      tokens.push_back(code);
    }
  }
}

std::vector<std::string> name_parameters(const TrainingConfig& config,
                                         const std::set<std::string>& in_file_names) {
  if (!config.parameter_names.empty() || config.model.num_parameters == 0) {
    return config.parameter_names;
  }
  return {in_file_names.size() == 1 ? *in_file_names.begin() : "param1"};
}

}  // namespace

Dataset load_dataset(const fs::path& directory, const TrainingConfig& config) {
  Dataset data;
  data.frames = config.model.max_length + 1;
  data.codebooks = config.model.num_codebooks;
  std::set<std::string> parameters;
  for (const fs::path& file : list_dac_files(directory)) {
    const FileNameConditioning named = parse_file_name(file);
    parameters.insert(named.parameter_name);
    const std::vector<float> cond = conditioning_vector(
        named, config.class_names, config.class_aliases, config.model.num_parameters);
    data.cond.insert(data.cond.end(), cond.begin(), cond.end());
    append_tokens(file, config.model, data.tokens);
    data.names.push_back(file.filename().string());
    ++data.files;
  }
  data.parameter_names = name_parameters(config, parameters);
  return data;
}

}  // namespace dsf
