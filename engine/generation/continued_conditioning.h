#pragma once
// Under which conditioning a run goes on from files, where nobody says so.
#include <string>

#include "engine/generation/generate.h"

namespace dsf {

struct ContinuedConditioning {
  bool taken = false;  // from the files
  std::string text;    // which it is and why, for the user; empty where the files state none
};

/// Gives a request without class, parameters and morph the constant conditioning that the side-cars
/// of the files state which it goes on from. Where they state another kind, different ones or names
/// that the model does not have, the request stays at the model's default.
ContinuedConditioning continue_conditioning(const CheckpointInfo& model, const PrimeSources& prime,
                                            GenerationRequest& request);

}  // namespace dsf
