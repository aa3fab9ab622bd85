#pragma once
// dataset.json: how a data set was made and what its numbers mean.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/dataset/encode_pieces.h"

namespace dsf {

struct ClassSummary;  // make_dataset.h

/// What makes a piece's bytes what they are, the recordings themselves aside: pieces made with
/// other settings are made again.
nlohmann::ordered_json describe_settings(const DatasetRequest& request, const PieceGrid& grid,
                                         int64_t n_codebooks);

/// Whether the file says that a data set beside it was begun with these settings.
bool was_made_with(const std::filesystem::path& file, const nlohmann::ordered_json& settings);

/// Says that the pieces beside it are made with these settings and not all there yet.
void write_unfinished_record(const std::filesystem::path& file,
                             const nlohmann::ordered_json& settings);

/// The whole record.
void write_record(const std::filesystem::path& file, const nlohmann::ordered_json& settings,
                  const DatasetRequest& request, const Recordings& recordings,
                  const std::vector<SurveyedRecording>& surveyed, const PieceGrid& grid,
                  const DatasetPlan& plan, const std::vector<ClassSummary>& classes);

}  // namespace dsf
