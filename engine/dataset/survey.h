#pragma once
// A first reading of all recordings, before anything is encoded: how long they are, whether they
// can be read to the end, and what is measured of their pieces.
#include <atomic>
#include <vector>

#include "engine/codec/file_jobs.h"
#include "engine/dataset/piece_reader.h"
#include "engine/dataset/recordings.h"

namespace dsf {

struct SurveyedRecording {
  int64_t length = 0;  // samples at the grid's rate
  int64_t pieces = 0;  // 0 where it is too short, or cannot be read
  bool readable = false;
  std::vector<std::vector<double>> measures;  // of each piece, in the request's order
};

/// In the order of the recordings; several are read at a time. What is wrong with one is told to
/// `complain` and makes it unreadable. Where `stop` ends it, nothing of the result may be used.
std::vector<SurveyedRecording> survey_recordings(const Recordings& recordings,
                                                 const PieceGrid& grid,
                                                 const DatasetRequest& request,
                                                 const Complaint& complain,
                                                 const std::atomic<bool>& stop);

}  // namespace dsf
