#include "engine/dataset/survey.h"

#include <mutex>

#include "engine/logging/progress.h"

namespace dsf {
namespace {

/// What a progress bar counts: samples of this many in a row, as the codec's frames.
constexpr int64_t kSamplesPerFrame = 512;

int64_t announced_frames(const Recording& recording, const PieceGrid& grid) {
  int64_t frames = 0;
  attempt(
      [](const std::string&) {},  // told when it is read
      [&] { frames = PieceReader(recording.path, grid).announced_length() / kSamplesPerFrame; });
  return frames;
}

SurveyedRecording survey(const Recording& recording, const PieceGrid& grid,
                         const std::vector<Measure>& measures, const std::atomic<bool>& stop) {
  return with_name(recording.path, [&] {
    SurveyedRecording result;
    PieceReader reader(recording.path, grid);
    while (!stop && reader.next()) {
      ++result.pieces;
      result.measures.push_back(
          measure_piece(reader.samples(), static_cast<int>(grid.sample_rate), measures));
    }
    result.length = reader.length();
    result.readable = true;
    return result;
  });
}

}  // namespace

std::vector<SurveyedRecording> survey_recordings(const Recordings& recordings,
                                                 const PieceGrid& grid,
                                                 const DatasetRequest& request,
                                                 const Complaint& complain,
                                                 const std::atomic<bool>& stop) {
  const std::vector<Recording>& list = recordings.list;
  std::vector<SurveyedRecording> result(list.size());
  std::vector<int64_t> frames;
  int64_t total = 0, done = 0;
  for (const Recording& recording : list) {
    frames.push_back(announced_frames(recording, grid));
    total += frames.back();
  }
  Progress progress(request.progress, total);
  std::mutex mutex;  // of all that is told
  for_each_file(list.size(), true, stop, [&](size_t, size_t i) {
    attempt(
        [&](const std::string& text) {
          const std::lock_guard lock(mutex);
          progress.hide();
          complain(text);
        },
        [&] { result[i] = survey(list[i], grid, request.measures, stop); });
    const std::lock_guard lock(mutex);
    progress.update(done += frames[i], "reading " + list[i].name);
  });
  return result;
}

}  // namespace dsf
