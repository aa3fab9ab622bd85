#pragma once
// The content of a codec's weights file, and its tensors by their official names.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/codec/codec_config.h"
#include "engine/files/stored_tensor.h"

namespace dsf {

struct CodecWeights {
  std::string file;  // for messages
  CodecConfig config;
  std::map<std::string, std::shared_ptr<const StoredTensor>> tensors;

  /// Tensor `name`. An Error names file and tensor if it is not there or has another shape.
  const StoredTensor& require(const std::string& name, const std::vector<int64_t>& shape) const;

  /// Its values; an Error also if one is not finite.
  std::vector<float> floats(const std::string& name, const std::vector<int64_t>& shape) const;

  /// The weight of layer `name`, with its weight norm g·v/‖v‖ (norms over all axes but the first)
  /// folded in. The pair is stored as weight_g, weight_v or, by newer PyTorch versions, as
  /// parametrizations.weight.original0, original1; without either, plain `weight` is taken.
  std::vector<float> folded_weight(const std::string& name,
                                   const std::vector<int64_t>& shape) const;

  /// An Error unless that weight is there and of that shape; its values are not looked at.
  void require_weight(const std::string& name, const std::vector<int64_t>& shape) const;
};

/// What such a file says of the codec; its tensors are not read.
CodecConfig read_codec_config(const std::filesystem::path& path);

/// Reads a weights file of the `dac` package (torch.save of state_dict and metadata.kwargs).
CodecWeights read_codec_weights(const std::filesystem::path& path);

}  // namespace dsf
