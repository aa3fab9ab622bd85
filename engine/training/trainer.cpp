#include "engine/training/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "engine/model/random_purpose.h"
#include "kernels/common/random.h"

namespace dsf {
namespace {

/// Files gathered into one contiguous batch.
class BatchBuffer {
 public:
  BatchBuffer(const Dataset& data, int64_t batch_size)
      : data_(data),
        frames_(static_cast<size_t>(batch_size * data.frames * data.codebooks)),
        cond_(static_cast<size_t>(batch_size) * data.cond.size() /
              static_cast<size_t>(data.files)) {}

  /// Of each file the frames from begin(file) on.
  template <class Begin>
  Sequences gather(std::span<const int64_t> files, const Begin& begin) {
    const int64_t codes = data_.frames * data_.codebooks;
    const int64_t conditions = static_cast<int64_t>(data_.cond.size()) / data_.files;
    const auto count = static_cast<int64_t>(files.size());
    for (int64_t i = 0; i < count; ++i) {
      const int64_t file = files[static_cast<size_t>(i)];
      const int64_t first = data_.begins[static_cast<size_t>(file)] + begin(file);
      std::copy_n(data_.tokens.data() + first * data_.codebooks, codes, frames_.data() + i * codes);
      std::copy_n(data_.cond.data() + file * conditions, conditions, cond_.data() + i * conditions);
    }
    return {{frames_.data(), {count, data_.frames, data_.codebooks}},
            {cond_.data(), {count, conditions}}};
  }

 private:
  const Dataset& data_;
  std::vector<int32_t> frames_;
  std::vector<float> cond_;
};

std::vector<int64_t> in_order(int64_t files) {
  std::vector<int64_t> order(static_cast<size_t>(files));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// The order of the files in an epoch (Fisher-Yates).
std::vector<int64_t> shuffled(int64_t files, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order = in_order(files);
  const RandomStream stream{seed, purpose_shuffle, static_cast<uint32_t>(epoch)};
  for (size_t i = order.size(); i > 1; --i) {
    const auto words = random_words(stream, i);
    const uint64_t word = (static_cast<uint64_t>(words[0]) << 32) | words[1];
    std::swap(order[i - 1], order[word % i]);
  }
  return order;
}

/// Calls use(files of the batch) for each batch of an order; the last may be smaller.
template <class Use>
void for_each_batch(const std::vector<int64_t>& order, int64_t batch_size, const Use& use) {
  const std::span<const int64_t> all(order);
  for (size_t begin = 0; begin < all.size(); begin += static_cast<size_t>(batch_size)) {
    use(all.subspan(begin, std::min(static_cast<size_t>(batch_size), all.size() - begin)));
  }
}

}  // namespace

float evaluate(const Context& ctx, Learner& learner, const Dataset& data, int64_t batch_size) {
  BatchBuffer buffer(data, batch_size);
  double sum = 0;
  int64_t batches = 0;
  for_each_batch(in_order(data.files), batch_size, [&](std::span<const int64_t> files) {
    sum += learner.evaluate(ctx, buffer.gather(files, [](int64_t) { return 0; }));
    ++batches;
  });
  return static_cast<float>(sum / static_cast<double>(batches));
}

bool train(const Context& ctx, Learner& learner, const Dataset& training, const Dataset& validation,
           const TrainingSchedule& schedule, const TrainingEvents& events, int64_t finished_epochs,
           const std::atomic<bool>& stop) {
  BatchBuffer buffer(training, schedule.batch_size);
  for (int64_t epoch = finished_epochs + 1; epoch <= schedule.num_epochs; ++epoch) {
    float loss = 0;
    const auto order = shuffled(training.files, learner.seed(), epoch);
    const auto crop = [&](int64_t file) {
      return random_crop_begin(training, file, learner.seed(), epoch);
    };
    for_each_batch(order, schedule.batch_size, [&](std::span<const int64_t> files) {
      if (stop) return;
      const StepResult result = learner.train(ctx, buffer.gather(files, crop));
      if (!result.finite()) {
        fail(
            "step {} (epoch {}): the loss is {} and the gradient's norm {}; training stops before "
            "this step is taken. Try a lower learning_rate",
            learner.step() + 1, epoch, result.loss, result.gradient_norm);
      }
      loss = result.loss;
      events.step(epoch, learner.step(), loss);
    });
    if (stop) return false;
    if (epoch % schedule.evaluation_interval == 0) {
      std::optional<float> validation_loss;
      if (validation.files > 0) {
        validation_loss = evaluate(ctx, learner, validation, schedule.batch_size);
      }
      events.evaluation(epoch, loss, validation_loss);
    }
    if (epoch % schedule.checkpoint_interval == 0 || epoch == schedule.num_epochs) {
      events.checkpoint(epoch);
    }
  }
  return true;
}

}  // namespace dsf
