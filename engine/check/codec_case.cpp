// A golden codec case: decoding, whole or in unpadded windows. Encoding comes with the encoder.
#include <map>

#include "engine/check/quantity.h"
#include "engine/codec/codec_decoder.h"
#include "engine/files/safetensors.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr double kLimit = 1e-5;

/// Golden activations are [1, C, T], ours [1, T, C].
std::vector<float> channels_first(ConstTensor activation) {
  const int64_t length = activation.dim(1), channels = activation.dim(2);
  std::vector<float> values(static_cast<size_t>(activation.size()));
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t c = 0; c < channels; ++c) {
      values[static_cast<size_t>(c * length + t)] = activation[t * channels + c];
    }
  }
  return values;
}

/// The codes [1, N, T] of a case, as the codec takes them.
struct CaseCodes {
  std::vector<int32_t> values;
  Shape shape;

  CaseCodes(const std::string& where, const StoredTensor& tensor) : values(to_int32(tensor)) {
    if (tensor.shape.size() != 3 || tensor.shape[0] != 1 || values.empty()) {
      fail_usage("{}: codes of shape [{}], expected [1, N, T]", where,
                 fmt::join(tensor.shape, ", "));
    }
    shape = {tensor.shape[1], tensor.shape[2]};
  }
  ConstIndexTensor view() const { return {values.data(), shape}; }
};

int64_t chunk_length(const std::string& where, const TensorFile& golden) {
  const auto found = golden.metadata.find("chunk_length");
  if (found == golden.metadata.end()) fail_usage("{}: no chunk_length in __metadata__", where);
  return std::strtoll(found->second.c_str(), nullptr, 10);
}

}  // namespace

std::vector<Quantity> check_codec_case(const Context& ctx, const std::filesystem::path& directory) {
  const std::string where = (directory / "case.safetensors").string();
  const TensorFile golden = read_safetensors(where);
  const Codec codec = Codec::load(directory / "weights.pth", ctx);
  std::map<std::string, std::vector<float>> ours;
  const auto codes_of = [&](const char* name) { return CaseCodes(where, golden.tensors.at(name)); };
  if (golden.tensors.contains("decode/codes")) {
    const CaseCodes codes = codes_of("decode/codes");
    CodecDecoder decoder(codec, codes.shape[1]);
    const std::span<const float> audio =
        decoder.decode(codes.view(), true, [&](std::string_view stage, ConstTensor activation) {
          ours["decode/" + std::string(stage)] = channels_first(HostValues(ctx, activation).view());
        });
    ours["decode/audio"] = {audio.begin(), audio.end()};
  }
  if (golden.tensors.contains("chunked/codes")) {
    const CaseCodes codes = codes_of("chunked/codes");
    ours["chunked/decoded"] =
        codec.decode_windows(codes.view(), chunk_length(where, golden), false);
  }
  std::vector<Quantity> quantities;
  for (const auto& [name, tensor] : golden.tensors) {
    if (name == "decode/codes" || name == "encode/audio" || name == "chunked/audio") continue;
    const auto found = ours.find(name);
    if (found == ours.end()) {
      quantities.push_back(not_supported_yet(name));
    } else {
      quantities.push_back({name, relative_error(found->second, to_floats(tensor)), kLimit, {}});
    }
  }
  return quantities;
}

}  // namespace dsf
