#pragma once
// The .json beside what was generated: how to make it again, and what came out.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "engine/generation/generation_run.h"
#include "engine/generation/take.h"

namespace dsf {

/// What makes the variation of this first seed what it is, known before anything is drawn.
nlohmann::ordered_json describe_run(const GenerationRun& run, const CheckpointInfo& model,
                                    uint64_t seed);

/// What came out, for the key kSidecarResult; `sound` null: none (yet).
nlohmann::ordered_json describe_result(const GenerationRun& run, const std::vector<Take>& takes,
                                       const Sound* sound);

inline constexpr const char* kSidecarResult = "result";

void write_sidecar(const std::filesystem::path& path, const nlohmann::ordered_json& sidecar);

/// A side-car of ours; an empty one where `path` is something else or nothing.
nlohmann::json read_sidecar(const std::filesystem::path& path);

/// Whether the side-car at `path` describes the run `described`, whatever came out.
bool describes(const std::filesystem::path& path, const nlohmann::ordered_json& described);

}  // namespace dsf
