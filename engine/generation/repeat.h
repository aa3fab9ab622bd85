#pragma once
#include "engine/generation/run.h"

namespace dsf {

/// The run that wrote this side-car, of a batch all of it; folder and progress are left as they
/// are. Running it is refused where model, codec or primes are not what they were.
GenerationJob read_repeat(const std::filesystem::path& sidecar);

}  // namespace dsf
