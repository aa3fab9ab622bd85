// A codec's weights: weight norm in all its spellings, and every way in which sizes and tensors can
// be wrong. Errors name file and tensor or key.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "engine/codec/codec.h"
#include "engine/files/pickle_writer.h"
#include "tests/random_codec.h"

namespace dsf {
namespace {

using testing::random_codes;
using testing::RandomCodec;
using testing::small_codec;

void set(CodecWeights& weights, const std::string& name, const std::vector<int64_t>& shape,
         const std::vector<float>& values) {
  weights.tensors[name] = std::make_shared<StoredTensor>(from_floats(shape, values));
}

std::vector<float> values_of(const CodecWeights& weights, const std::string& name) {
  return to_floats(*weights.tensors.at(name));
}

template <class Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "expected '" << part << "' in: " << message;
  }
}

/// The layers of a codec that have a weight norm.
std::vector<std::string> normed_layers(const CodecWeights& weights) {
  std::vector<std::string> layers;
  for (const auto& [name, tensor] : weights.tensors) {
    if (name.ends_with(".weight_v")) layers.push_back(name.substr(0, name.size() - 9));
  }
  return layers;
}

std::vector<float> decode_some(const CodecWeights& weights) {
  constexpr int64_t kFrames = 20;
  const std::vector<int32_t> codes = random_codes(weights.config, 3, kFrames);
  return Codec(weights).decode({codes.data(), {3, kFrames}});
}

TEST(CodecWeights, WeightNormIsFolded) {
  CodecWeights weights;
  set(weights, "layer.weight_g", {2, 1, 1}, {10, 2});
  set(weights, "layer.weight_v", {2, 1, 2}, {3, 4, 0, -7});
  EXPECT_EQ(weights.folded_weight("layer", {2, 1, 2}), (std::vector<float>{6, 8, 0, -2}));
}

TEST(CodecWeights, NewerPyTorchNamesMeanTheSame) {
  const CodecWeights older = RandomCodec(small_codec({4, 2})).weights();
  CodecWeights newer = older;
  for (const std::string& layer : normed_layers(older)) {
    for (const auto& [from, to] : {std::pair{".weight_g", "0"}, std::pair{".weight_v", "1"}}) {
      auto node = newer.tensors.extract(layer + from);
      node.key() = layer + ".parametrizations.weight.original" + to;
      newer.tensors.insert(std::move(node));
    }
  }
  EXPECT_EQ(decode_some(newer), decode_some(older));
}

TEST(CodecWeights, PlainWeightsAreTakenAsTheyAre) {
  const CodecWeights normed = RandomCodec(small_codec({4, 2})).weights();
  CodecWeights plain = normed;
  for (const std::string& layer : normed_layers(normed)) {
    std::vector<float> weight = values_of(normed, layer + ".weight_v");
    const std::vector<float> gains = values_of(normed, layer + ".weight_g");
    const size_t width = weight.size() / gains.size();
    for (size_t i = 0; i < weight.size(); ++i) {
      double sum = 0;
      const std::vector<float> v = values_of(normed, layer + ".weight_v");
      for (size_t j = i / width * width; j < (i / width + 1) * width; ++j) {
        sum += static_cast<double>(v[j]) * static_cast<double>(v[j]);
      }
      weight[i] = static_cast<float>(gains[i / width] * v[i] / std::sqrt(sum));
    }
    set(plain, layer + ".weight", normed.tensors.at(layer + ".weight_v")->shape, weight);
    plain.tensors.erase(layer + ".weight_g");
    plain.tensors.erase(layer + ".weight_v");
  }
  const std::vector<float> expected = decode_some(normed), ours = decode_some(plain);
  ASSERT_EQ(ours.size(), expected.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    // A weight's last digit may differ; a dozen layers add such roundings up.
    ASSERT_NEAR(ours[i], expected[i], 2e-6) << i;
  }
}

TEST(CodecWeights, EveryTensorIsMissedByName) {
  const CodecWeights whole = RandomCodec(small_codec({4, 2})).weights();
  for (const auto& [name, tensor] : whole.tensors) {
    CodecWeights broken = whole;
    broken.tensors.erase(name);
    expect_parts(error_of([&] { Codec{broken}; }), {"random.pth: tensor ", name, "missing"});
  }
}

TEST(CodecWeights, EveryShapeIsChecked) {
  const CodecWeights whole = RandomCodec(small_codec({4, 2})).weights();
  for (const auto& [name, tensor] : whole.tensors) {
    CodecWeights broken = whole;
    std::vector<int64_t> shape = tensor->shape;
    shape[0] += 1;
    set(broken, name, shape, std::vector<float>(*element_count(shape), 0.5F));
    expect_parts(error_of([&] { Codec{broken}; }),
                 {"random.pth: tensor " + name, shape_text(shape), shape_text(tensor->shape)});
    shape = tensor->shape;
    shape.push_back(1);  // as many elements, but another rank
    set(broken, name, shape, values_of(whole, name));
    expect_parts(error_of([&] { Codec{broken}; }),
                 {"random.pth: tensor " + name, shape_text(shape), shape_text(tensor->shape)});
  }
}

TEST(CodecWeights, EveryValueMustBeFinite) {
  const CodecWeights whole = RandomCodec(small_codec({4, 2})).weights();
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const auto& [name, tensor] : whole.tensors) {
      CodecWeights broken = whole;
      std::vector<float> values = values_of(whole, name);
      values.back() = bad;
      set(broken, name, tensor->shape, values);
      expect_parts(
          error_of([&] { Codec{broken}; }),
          {"random.pth: tensor " + name + ":", fmt::format("element {} is", values.size() - 1)});
    }
  }
}

TEST(CodecWeights, ANormOfZeroIsNamed) {
  const CodecWeights whole = RandomCodec(small_codec({4, 2})).weights();
  for (const std::string& layer : normed_layers(whole)) {
    CodecWeights broken = whole;
    const std::string name = layer + ".weight_v";
    std::vector<float> values = values_of(whole, name);
    const size_t width = values.size() / static_cast<size_t>(whole.tensors.at(name)->shape[0]);
    std::fill_n(values.begin(), width, 0.0F);
    set(broken, name, whole.tensors.at(name)->shape, values);
    expect_parts(error_of([&] { Codec{broken}; }), {"random.pth: tensor " + name, "norm 0"});
  }
}

// Sizes that agree with the small tensors of a file but not with the large one that they announce:
// nothing of that size (16 GB here) may be allocated before the large one was looked at.
TEST(CodecWeights, SizesOfTheQuantizerAreCheckedBeforeTheyAreAllocated) {
  CodecWeights weights;
  weights.file = "random.pth";
  weights.config = small_codec({4, 2});
  weights.config.n_codebooks = weights.config.codebook_size = 1;
  weights.config.codebook_dim = weights.config.latent_dim = 65536;
  const std::string name = "quantizer.quantizers.0";
  set(weights, name + ".codebook.weight", {1, 65536}, std::vector<float>(65536));
  set(weights, name + ".out_proj.bias", {65536}, std::vector<float>(65536));
  set(weights, name + ".out_proj.weight_g", {65536, 1, 1}, std::vector<float>(65536));
  set(weights, name + ".out_proj.weight_v", {1, 1, 1}, {1});
  expect_parts(error_of([&] { Codec{weights}; }), {name + ".out_proj.weight_v", "[1, 1, 1]"});
}

// ---- metadata.kwargs

/// A dictionary of sizes as a weights file holds it; the test changes some.
class Kwargs {
 public:
  using Write = std::function<void(PickleWriter&)>;

  Kwargs() {
    const std::pair<const char*, int64_t> sizes[] = {{"encoder_dim", 4},  {"decoder_dim", 16},
                                                     {"n_codebooks", 3},  {"codebook_size", 16},
                                                     {"codebook_dim", 4}, {"sample_rate", 8000}};
    for (const auto& [key, value] : sizes) {
      entries_[key] = integer(value);
    }
    entries_["encoder_rates"] = integers({2, 4});
    entries_["decoder_rates"] = integers({4, 2});
  }

  static Write integer(int64_t value) {
    return [=](PickleWriter& pickle) { pickle.integer(value); };
  }
  static Write text(const std::string& value) {
    return [=](PickleWriter& pickle) { pickle.text(value); };
  }
  static Write integers(const std::vector<int64_t>& values) {
    return [=](PickleWriter& pickle) {
      pickle.empty_list();
      for (const int64_t value : values) {
        pickle.integer(value);
        pickle.append();
      }
    };
  }

  Kwargs& set(const std::string& key, const Write& write) {
    entries_[key] = write;
    return *this;
  }
  Kwargs& erase(const std::string& key) {
    entries_.erase(key);
    return *this;
  }

  CodecConfig parse() const {
    PickleWriter pickle;
    pickle.empty_dict();
    pickle.mark();
    for (const auto& [key, write] : entries_) {
      pickle.text(key);
      write(pickle);
    }
    pickle.set_items();
    const std::string bytes = pickle.finish();
    return parse_codec_config(read_pickle(std::as_bytes(std::span(bytes)), "w.pth"), "w.pth");
  }
  std::string error() const {
    return error_of([&] { parse(); });
  }

 private:
  std::map<std::string, Write> entries_;
};

TEST(CodecConfig, ReadsTheSizesOfAFile) {
  CodecConfig expected = small_codec({4, 2});
  expected.latent_dim = 16;  // encoder_dim, doubled with every rate
  EXPECT_EQ(Kwargs().parse(), expected);
  EXPECT_EQ(Kwargs().set("latent_dim", [](PickleWriter& p) { p.none(); }).parse(), expected);
  EXPECT_EQ(Kwargs().set("codebook_dim", Kwargs::integers({4, 4, 4})).parse(), expected);
  EXPECT_EQ(Kwargs().set("quantizer_dropout", Kwargs::text("ignored")).parse(), expected);
  expected.latent_dim = 24;
  EXPECT_EQ(Kwargs().set("latent_dim", Kwargs::integer(24)).parse(), expected);
}

TEST(CodecConfig, SizesThatCannotBeAreNamed) {
  for (const char* key : {"encoder_dim", "decoder_dim", "n_codebooks", "codebook_size",
                          "codebook_dim", "sample_rate", "latent_dim"}) {
    for (const int64_t bad :
         {int64_t{0}, int64_t{-1}, int64_t{1} << 40, std::numeric_limits<int64_t>::max(),
          std::numeric_limits<int64_t>::min()}) {
      expect_parts(Kwargs().set(key, Kwargs::integer(bad)).error(),
                   {"w.pth", key, std::to_string(bad), "expected 1 "});
    }
    expect_parts(Kwargs().set(key, Kwargs::text("many")).error(), {"w.pth", key, "a string"});
  }
  expect_parts(Kwargs().set("codebook_dim", Kwargs::integers({4, 8, 4})).error(),
               {"w.pth", "codebook_dim", "4", "8"});
  expect_parts(Kwargs().set("codebook_dim", Kwargs::integers({})).error(),
               {"w.pth", "codebook_dim"});
  expect_parts(Kwargs().set("decoder_dim", Kwargs::integer(3)).error(),
               {"w.pth", "decoder_dim 3", "2 blocks"});
}

TEST(CodecConfig, RatesThatCannotBeAreNamed) {
  for (const char* key : {"encoder_rates", "decoder_rates"}) {
    const auto error = [&](const std::vector<int64_t>& rates) {
      return Kwargs().set(key, Kwargs::integers(rates)).error();
    };
    expect_parts(error({}), {"w.pth", key, "0 entries"});
    expect_parts(error(std::vector<int64_t>(17, 1)), {"w.pth", key, "17 entries"});
    expect_parts(error({4, 0}), {"w.pth", key, "is 0"});
    expect_parts(error({-4, -2}), {"w.pth", key, "is -4"});
    expect_parts(error({int64_t{1} << 62, 8}), {"w.pth", key});
    expect_parts(error({65536, 65536}), {"w.pth", "product of", key});
    expect_parts(error({4, 3}), {"w.pth", "12", "8"});
    expect_parts(Kwargs().set(key, Kwargs::integer(8)).error(), {"w.pth", key, "list"});
  }
}

TEST(CodecConfig, MissingKeysAreNamed) {
  for (const char* key : {"encoder_dim", "encoder_rates", "decoder_dim", "decoder_rates",
                          "n_codebooks", "codebook_size", "codebook_dim", "sample_rate"}) {
    expect_parts(Kwargs().erase(key).error(), {"w.pth", key});
  }
}

}  // namespace
}  // namespace dsf
