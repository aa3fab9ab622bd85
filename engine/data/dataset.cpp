#include "engine/data/dataset.h"

#include <algorithm>

#include "engine/files/counted.h"
#include "engine/files/dac_file.h"
#include "engine/files/dac_frames.h"
#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

/// `name` begins each fault.
void check_sizes(const std::string& name, const DacFile& file, const ModelConfig& model,
                 bool random_crop, Faults& faults) {
  const int64_t needed = model.max_length + 1;
  if (file.channels != 1) {
    faults.add(fmt::format("{}: {} channels, expected 1", name, file.channels));
  }
  if (file.n_codebooks < model.num_codebooks) {
    faults.add(fmt::format("{}: {}, expected at least num_tokens = {}", name,
                           counted(file.n_codebooks, "codebook"), model.num_codebooks));
  }
  const std::string frames = counted(file.frames, "frame");
  if (file.frames < needed && random_crop) {
    faults.add(fmt::format("{}: {}, expected at least Tt + 1 = {}", name, frames, needed));
  }
  if (file.frames != needed && !random_crop) {
    const bool longer = file.frames > needed;
    faults.add(
        fmt::format("{}: {}, expected Tt + 1 = {}{}", name, frames, needed,
                    longer ? " (random_crop: true takes random parts of longer files)" : ""));
  }
}

void check_codes(const std::string& name, const DacFile& file, const ModelConfig& model,
                 Faults& faults) {
  int64_t wrong = 0, first = 0;
  const int64_t codes = std::min(model.num_codebooks, file.n_codebooks) * file.frames;
  for (int64_t i = 0; i < codes; ++i) {
    if (file.codes[static_cast<size_t>(i)] < model.vocab_size) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return;
  faults.add(fmt::format(
      "{}: code {} in codebook {}, frame {}{}; expected codes below vocab_size = {}", name,
      file.codes[static_cast<size_t>(first)], first / file.frames, first % file.frames,
      wrong > 1 ? fmt::format(" and {} more", wrong - 1) : "", model.vocab_size));
}

/// Appends a file's codes as [frames, N]; `place` begins each fault. How many codebooks it has
/// counts whatever else is wrong with it.
void append(const LabelledFile& labelled, const std::string& place, const ModelConfig& model,
            bool random_crop, Dataset& data, Faults& faults) {
  const DacFile file = read_dac(labelled.path);
  if (file.n_codebooks > data.most_codebooks) {
    data.most_codebooks = file.n_codebooks;
    data.widest = labelled.path;
  }
  const std::string name = place + labelled.path.string();
  const size_t before = faults.count();
  check_sizes(name, file, model, random_crop, faults);
  check_codes(name, file, model, faults);
  if (!labelled.usable || faults.count() > before) return;
  const std::vector<int32_t> codes = codes_by_frame(file, model.num_codebooks);
  data.tokens.insert(data.tokens.end(), codes.begin(), codes.end());
  data.begins.push_back(data.begins.back() + file.frames);
  data.cond.insert(data.cond.end(), labelled.cond.begin(), labelled.cond.end());
  ++data.files;
}

}  // namespace

Dataset read_dataset(const std::vector<LabelledFile>& files, const ModelConfig& model,
                     bool random_crop, Faults& faults) {
  Dataset data;
  data.frames = model.max_length + 1;
  data.codebooks = model.num_codebooks;
  data.begins = {0};
  for (const LabelledFile& file : files) {
    const std::string place = file.named_in.empty() ? "" : file.named_in + ": ";
    faults.collect(place, [&] { append(file, place, model, random_crop, data, faults); });
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
