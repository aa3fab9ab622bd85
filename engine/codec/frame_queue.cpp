#include "engine/codec/frame_queue.h"

#include <algorithm>

#include "kernels/common/memory.h"

namespace dsf {
namespace {

constexpr int64_t kZeroFrames = 64;  // cleared at once

}  // namespace

FrameQueue::FrameQueue(const Context& ctx, Arena& arena, const std::string& name, int64_t channels,
                       int64_t kept, int64_t longest)
    : ctx_(ctx), channels_(channels), kept_(kept), longest_(longest) {
  buffer_ = arena.tensor(name, {capacity() * channels});
  zeros_ = arena.tensor(name + ".zeros", {kZeroFrames * channels});
}

void FrameQueue::restart(int64_t zeros) {
  begin_ = size_ = 0;
  append_zeros(zeros);
}

Tensor FrameQueue::at(int64_t frame, int64_t count) const {
  DSF_CHECK(frame >= 0 && count >= 0 && frame + count <= capacity(), "frames {} … {} of {}", frame,
            frame + count - 1, capacity());
  return {buffer_.data + frame * channels_, {1, count, channels_}};
}

Tensor FrameQueue::append(int64_t count) {
  size_ += count;
  return at(begin_ + size_ - count, count);
}

void FrameQueue::clear(int64_t frame, int64_t count) {
  for (int64_t done = 0; done < count; done += kZeroFrames) {
    const Tensor frames = at(frame + done, std::min(kZeroFrames, count - done));
    copy_on_device(ctx_, frames.data, zeros_.data,
                   static_cast<size_t>(frames.size()) * sizeof(float));
  }
}

void FrameQueue::append_zeros(int64_t count) {
  append(count);
  clear(begin_ + size_ - count, count);
}

Tensor FrameQueue::front(int64_t count) const {
  DSF_CHECK(count <= size_, "{} frames of {}", count, size_);
  return at(begin_, count);
}

void FrameQueue::drop(int64_t count) {
  DSF_CHECK(count <= size_, "{} frames of {}", count, size_);
  begin_ += count;
  size_ -= count;
  // No room for what may come: to the buffer's beginning. Of twice `kept_` frames and what may
  // come, these are the last, so that they do not overlap those that they are copied to.
  if (size_ > kept_ || begin_ + size_ + longest_ <= capacity()) return;
  copy_on_device(ctx_, buffer_.data, at(begin_, size_).data,
                 static_cast<size_t>(size_ * channels_) * sizeof(float));
  begin_ = 0;
}

void FrameQueue::drop_behind_zeros(int64_t zeros, int64_t count) {
  DSF_CHECK(zeros + count <= size_, "{} frames of {}", zeros + count, size_);
  clear(begin_ + zeros, count);
  drop(count);
}

void FrameQueue::drop_last(int64_t count) {
  DSF_CHECK(count <= size_, "{} frames of {}", count, size_);
  size_ -= count;
}

}  // namespace dsf
