#include "engine/data/dataset.h"

#include "engine/files/counted.h"
#include "engine/files/dac_file.h"
#include "engine/files/dac_frames.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

void check_sizes(const std::string& name, const DacFile& file, const ModelConfig& model,
                 bool random_crop) {
  const int64_t needed = model.max_length + 1;
  if (file.channels != 1) fail("{}: {} channels, expected 1", name, file.channels);
  if (file.n_codebooks < model.num_codebooks) {
    fail("{}: {}, expected at least num_tokens = {}", name, counted(file.n_codebooks, "codebook"),
         model.num_codebooks);
  }
  if (file.frames < needed && random_crop) {
    fail("{}: {}, expected at least Tt + 1 = {}", name, counted(file.frames, "frame"), needed);
  }
  if (file.frames != needed && !random_crop) {
    fail("{}: {}, expected Tt + 1 = {}{}", name, counted(file.frames, "frame"), needed,
         file.frames > needed ? " (random_crop: true takes random parts of longer files)" : "");
  }
}

void check_codes(const std::string& name, const DacFile& file, const ModelConfig& model) {
  int64_t wrong = 0, first = 0;
  const int64_t codes = model.num_codebooks * file.frames;
  for (int64_t i = 0; i < codes; ++i) {
    if (file.codes[static_cast<size_t>(i)] < model.vocab_size) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return;
  fail("{}: code {} in codebook {}, frame {}{}; expected codes below vocab_size = {}", name,
       file.codes[static_cast<size_t>(first)], first / file.frames, first % file.frames,
       wrong > 1 ? fmt::format(" and {} more", wrong - 1) : "", model.vocab_size);
}

/// Appends a file's codes as [frames, N].
void append(const LabelledFile& labelled, const ModelConfig& model, bool random_crop,
            Dataset& data) {
  const DacFile file = read_dac(labelled.path);
  const std::string name = labelled.path.string();
  check_sizes(name, file, model, random_crop);
  check_codes(name, file, model);
  const std::vector<int32_t> codes = codes_by_frame(file, model.num_codebooks);
  data.tokens.insert(data.tokens.end(), codes.begin(), codes.end());
  data.begins.push_back(data.begins.back() + file.frames);
  data.cond.insert(data.cond.end(), labelled.cond.begin(), labelled.cond.end());
  ++data.files;
  if (file.n_codebooks > data.most_codebooks) {
    data.most_codebooks = file.n_codebooks;
    data.widest = labelled.path;
  }
}

}  // namespace

Dataset read_dataset(const std::vector<LabelledFile>& files, const ModelConfig& model,
                     bool random_crop, Faults& faults) {
  Dataset data;
  data.frames = model.max_length + 1;
  data.codebooks = model.num_codebooks;
  data.begins = {0};
  for (const LabelledFile& file : files) {
    faults.collect(file.named_in.empty() ? "" : file.named_in + ": ",
                   [&] { append(file, model, random_crop, data); });
  }
  return data;
}

int64_t random_crop_begin(const Dataset& data, int64_t file, uint64_t seed, int64_t epoch) {
  const auto choices = static_cast<uint64_t>(data.length(file) - data.frames + 1);
  const RandomStream stream{seed, purpose_crop, static_cast<uint32_t>(epoch)};
  const auto words = random_words(stream, static_cast<uint64_t>(file));
  const uint64_t word = (static_cast<uint64_t>(words[0]) << 32) | words[1];
  return static_cast<int64_t>(word % choices);
}

}  // namespace dsf
