#include "engine/training/sequence_source.h"

#include <limits>

namespace dsf {

SequenceSource::SequenceSource(const Context& ctx, const Dataset& data)
    : ctx_(ctx), data_(data), arena_(ctx) {
  if (data.files == 0) return;
  const int64_t frames = data.begins.back();
  if (frames > std::numeric_limits<int32_t>::max()) {
    fail("{} frames of data, at most {} can be learned from", frames,
         std::numeric_limits<int32_t>::max());
  }
  const Shape tokens{frames, data.codebooks};
  const Shape cond{data.files, static_cast<int64_t>(data.cond.size()) / data.files};
  begins_ = arena_.index("begins", {data.files});
  files_ = arena_.index("files", {data.files});
  places_.resize(static_cast<size_t>(data.files));
  if (ctx.device == Device::cpu) {
    all_ = {{data.tokens.data(), tokens}, {data.cond.data(), cond}, {}, {}};
    return;
  }
  const IndexTensor device_tokens = arena_.index("tokens", tokens);
  const Tensor device_cond = arena_.tensor("cond", cond);
  upload(ctx, device_tokens, data.tokens.data());
  upload(ctx, device_cond, data.cond.data());
  all_ = {device_tokens, device_cond, {}, {}};
}

Sequences SequenceSource::choose(std::span<const int64_t> files, const Begin& begin) {
  const auto count = static_cast<int64_t>(files.size());
  DSF_CHECK(count <= begins_.size(), "{} files of {}", count, begins_.size());
  Sequences chosen = all_;
  chosen.begins = begins_.slice(0, count);
  chosen.files = files_.slice(0, count);
  for (size_t i = 0; i < files.size(); ++i) {
    const int64_t first = data_.begins[static_cast<size_t>(files[i])];
    places_[i] = static_cast<int32_t>(first + (begin ? begin(files[i]) : 0));
  }
  upload(ctx_, begins_.slice(0, count), static_cast<const int32_t*>(places_.data()));
  for (size_t i = 0; i < files.size(); ++i) places_[i] = static_cast<int32_t>(files[i]);
  upload(ctx_, files_.slice(0, count), static_cast<const int32_t*>(places_.data()));
  return chosen;
}

}  // namespace dsf
