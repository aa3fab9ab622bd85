// A golden codec case: encoding and decoding, whole or in unpadded windows.
#include <map>

#include "engine/check/quantity.h"
#include "engine/codec/codec_decoder.h"
#include "engine/codec/codec_encoder.h"
#include "engine/codec/window_encoder.h"
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

/// What this engine computes of a case, by the case's names.
struct Results {
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, std::vector<int32_t>> codes;
};

void decode(const Context& ctx, const Codec& codec, ConstIndexTensor codes, Results& ours) {
  CodecDecoder decoder(codec, codes.dim(1));
  const std::span<const float> audio =
      decoder.decode(codes, true, [&](std::string_view stage, ConstTensor activation) {
        ours.values["decode/" + std::string(stage)] =
            channels_first(HostValues(ctx, activation).view());
      });
  ours.values["decode/audio"] = {audio.begin(), audio.end()};
}

void encode(const Context& ctx, const Codec& codec, const std::vector<float>& audio,
            int64_t n_codebooks, Results& ours) {
  CodecEncoder encoder(codec, std::ssize(audio));
  const ConstIndexTensor codes =
      encoder.encode(audio, n_codebooks, true, [&](std::string_view stage, ConstTensor activation) {
        ours.values["encode/" + std::string(stage)] =
            channels_first(HostValues(ctx, activation).view());
      });
  ours.codes["encode/codes"] = {codes.data, codes.data + codes.size()};
}

/// The sound as it is: golden/README.md brings it to no loudness.
void encode_windows(const Codec& codec, const std::vector<float>& audio, int64_t window_samples,
                    int64_t n_codebooks, Results& ours) {
  const CodecWindows windows(codec.config(),
                             static_cast<double>(window_samples) / codec.config().sample_rate);
  CodecEncoder encoder(codec, windows.samples);
  WindowEncoder channel(encoder, windows, std::ssize(audio), n_codebooks);
  for (const float sample : audio) channel.add(sample);
  channel.finish();
  std::vector<int32_t>& codes = ours.codes["chunked/codes"];
  for (const auto& row : channel.codes()) codes.insert(codes.end(), row.begin(), row.end());
}

}  // namespace

std::vector<Quantity> check_codec_case(const Context& ctx, const std::filesystem::path& directory) {
  const std::string where = (directory / "case.safetensors").string();
  const TensorFile golden = read_safetensors(where);
  const Codec codec = Codec::load(directory / "weights.pth", ctx, CodecUse::both);
  Results ours;
  const auto codes_of = [&](const char* name) { return CaseCodes(where, golden.tensors.at(name)); };
  if (golden.tensors.contains("decode/codes")) {
    decode(ctx, codec, codes_of("decode/codes").view(), ours);
  }
  if (golden.tensors.contains("encode/audio") && golden.tensors.contains("encode/codes")) {
    encode(ctx, codec, to_floats(golden.tensors.at("encode/audio")),
           codes_of("encode/codes").shape[0], ours);
  }
  if (golden.tensors.contains("chunked/codes")) {
    const CaseCodes codes = codes_of("chunked/codes");
    const auto chunk = whole_number(where, golden, "chunk_length");
    ours.values["chunked/decoded"] = codec.decode_windows(codes.view(), chunk, false);
    if (golden.tensors.contains("chunked/audio")) {
      const std::vector<float> audio = to_floats(golden.tensors.at("chunked/audio"));
      const int64_t window = whole_number(where, golden, "window_samples");
      if (window > std::ssize(audio)) {
        fail_usage("{}: 'window_samples' in __metadata__ is {}, chunked/audio has {}", where,
                   window, audio.size());
      }
      encode_windows(codec, audio, window, codes.shape[0], ours);
    }
  }
  std::vector<Quantity> quantities;
  for (const auto& [name, tensor] : golden.tensors) {
    if (name == "decode/codes" || name == "encode/audio" || name == "chunked/audio") continue;
    if (const auto values = ours.values.find(name); values != ours.values.end()) {
      quantities.push_back({name, relative_error(values->second, to_floats(tensor)), kLimit, {}});
    } else if (const auto codes = ours.codes.find(name); codes != ours.codes.end()) {
      quantities.push_back({name, differing(codes->second, to_int32(tensor)), 0, {}});
    } else {
      quantities.push_back(not_supported_yet(name));
    }
  }
  return quantities;
}

}  // namespace dsf
