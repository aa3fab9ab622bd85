#include "engine/dataset/encode_pieces.h"

#include <algorithm>
#include <mutex>

#include "engine/codec/dac_decoding.h"
#include "engine/codec/dac_encoding.h"
#include "engine/files/output_folder.h"
#include "engine/logging/progress.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr double kLeastWindow = 5;  // seconds; what `dac` takes

/// What is to be done of a recording.
struct Job {
  size_t recording = 0;
  struct Item {
    const Piece* piece;
    size_t place;  // among all pieces
    bool finished;
  };
  std::vector<Item> items;  // up to the last that is not done
};

class PieceEncoding {
 public:
  PieceEncoding(const Codec& codec, const Recordings& recordings, const DatasetPlan& plan,
                const PieceGrid& grid, const DatasetRequest& request,
                const std::vector<bool>& reusable, const Complaint& complain,
                const std::atomic<bool>& stop)
      : codec_(codec),
        recordings_(recordings),
        grid_(grid),
        request_(request),
        complain_(complain),
        stop_(stop),
        frames_((grid.samples + codec.config().hop() - 1) / codec.config().hop()),
        codebooks_(std::min(request.n_codebooks, codec.config().n_codebooks)) {
    result_.distances.resize(plan.pieces.size());
    list_jobs(plan, reusable);
  }

  EncodedPieces run() {
    Progress progress(request_.progress, total_);
    const auto encode = [&](DacEncoder& encoder, size_t i) {
      attempt(
          [&](const std::string& text) {
            const std::lock_guard lock(mutex_);
            ++result_.failed;
            progress.hide();
            complain_(text);
          },
          [&] {
            with_name(recordings_.list[jobs_[i].recording].path,
                      [&] { work(encoder, jobs_[i], progress); });
          });
    };
    encode_each(codec_, encode_options(), jobs_.size(), stop_, encode);
    return std::move(result_);
  }

 private:
  EncodeOptions encode_options() const {
    // Longer than a piece: it is encoded as a whole.
    return {codebooks_, std::max(kLeastWindow, 2 * request_.seconds), request_.loudness};
  }

  fs::path path_of(const Piece& piece) const {
    return side_folder(request_, piece.validation) / piece.file_name;
  }

  bool is_finished(const Piece& piece) const {
    try {
      const DacFile file = read_dac(path_of(piece));
      return file.n_codebooks == codebooks_ && file.frames == frames_;
    } catch (const Error&) {
      return false;
    }
  }

  void list_jobs(const DatasetPlan& plan, const std::vector<bool>& reusable) {
    for (size_t i = 0; i < plan.pieces.size();) {
      Job job{plan.pieces[i].recording, {}};
      size_t needed = 0;  // items up to the last with something to do
      for (; i < plan.pieces.size() && plan.pieces[i].recording == job.recording; ++i) {
        const Piece& piece = plan.pieces[i];
        const bool finished = reusable[piece.recording] && is_finished(piece);
        result_.skipped += finished;
        job.items.push_back({&piece, i, finished});
        if (finished && !piece.compared) continue;
        needed = job.items.size();
        total_ += cost(job.items.back());
      }
      job.items.resize(needed, {nullptr, 0, false});
      if (needed > 0) jobs_.push_back(std::move(job));
    }
  }

  /// In frames; decoding one takes about twice as long as encoding it.
  int64_t cost(const Job::Item& item) const {
    return (item.finished ? 0 : frames_) + (item.piece->compared ? 2 * frames_ : 0);
  }

  void work(DacEncoder& encoder, const Job& job, Progress& progress) {
    const Recording& recording = recordings_.list[job.recording];
    PieceReader reader(recording.path, grid_);
    for (const Job::Item& item : job.items) {
      if (stop_) return;
      if (!reader.next()) fail("ends before its piece {}: it was changed", item.piece->index);
      if (cost(item) == 0) continue;
      work_on(encoder, item, reader.samples());
      const std::lock_guard lock(mutex_);
      progress.update(done_ += cost(item), recording.name);
    }
  }

  void work_on(DacEncoder& encoder, const Job::Item& item, std::span<const float> samples) {
    const auto rate = static_cast<int>(grid_.sample_rate);
    const fs::path path = path_of(*item.piece);
    std::optional<DacFile> file;
    if (item.finished) {
      file = read_dac(path);
    } else {
      const Audio audio{rate, 1, {samples.begin(), samples.end()}};
      AudioView view(audio);
      file = encoder.encode(view, [this](int64_t) { return !stop_; });
      if (!file) return;
      write_dac(path, *file);
      const std::lock_guard lock(mutex_);
      ++result_.encoded;
    }
    if (!item.piece->compared) return;
    const Audio decoded = decode_dac(codec_, *file, [this](int64_t) { return !stop_; });
    if (stop_) return;
    const SoundDistance distance = sound_distance(samples, decoded.samples, rate);
    const std::lock_guard lock(mutex_);
    result_.distances[item.place] = distance;
  }

  const Codec& codec_;
  const Recordings& recordings_;
  const PieceGrid& grid_;
  const DatasetRequest& request_;
  const Complaint& complain_;
  const std::atomic<bool>& stop_;
  int64_t frames_, codebooks_;  // of a piece
  std::vector<Job> jobs_;
  int64_t total_ = 0;
  std::mutex mutex_;  // of all below
  int64_t done_ = 0;
  EncodedPieces result_;
};

}  // namespace

EncodedPieces encode_pieces(const Codec& codec, const Recordings& recordings,
                            const DatasetPlan& plan, const PieceGrid& grid,
                            const DatasetRequest& request, const std::vector<bool>& reusable,
                            const Complaint& complain, const std::atomic<bool>& stop) {
  return PieceEncoding(codec, recordings, plan, grid, request, reusable, complain, stop).run();
}

void remove_pieces(const DatasetPlan& plan, const DatasetRequest& request,
                   const std::vector<bool>& reusable) {
  for (const Piece& piece : plan.pieces) {
    if (reusable[piece.recording]) continue;
    for (const bool validation : {false, true}) {
      remove_output(side_folder(request, validation) / piece.file_name);
    }
  }
}

fs::path side_folder(const DatasetRequest& request, bool validation) {
  return request.output / (validation ? "validation" : "train");
}

}  // namespace dsf
