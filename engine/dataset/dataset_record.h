#pragma once
// dataset.json: how a data set was made and what its numbers mean.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/dataset/encode_pieces.h"

namespace dsf {

struct ClassSummary;  // make_dataset.h

/// What makes a piece's bytes what they are, the recordings themselves aside.
nlohmann::ordered_json describe_settings(const DatasetRequest& request, const PieceGrid& grid,
                                         int64_t n_codebooks);

/// Of which recordings the pieces that lie beside the file are made with these settings, as it
/// says: for each one, whether it is there and still the same. None where there is no such file, or
/// one of other settings.
std::vector<bool> find_reusable(const std::filesystem::path& file,
                                const nlohmann::ordered_json& settings,
                                const Recordings& recordings);

/// Says that the pieces of these recordings that lie beside it are made with these settings, and
/// not all there yet. Pieces of which this is not true have to be removed before.
void write_unfinished_record(const std::filesystem::path& file,
                             const nlohmann::ordered_json& settings, const Recordings& recordings,
                             const std::vector<SurveyedRecording>& surveyed);

/// The whole record.
void write_record(const std::filesystem::path& file, const nlohmann::ordered_json& settings,
                  const DatasetRequest& request, const Recordings& recordings,
                  const std::vector<SurveyedRecording>& surveyed, const PieceGrid& grid,
                  const DatasetPlan& plan, const std::vector<ClassSummary>& classes);

}  // namespace dsf
