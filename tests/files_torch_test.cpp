// What torch.save wrote: golden files, damaged archives, and archives that are hostile.
#include <zip.h>

#include <memory>

#include "engine/codec/codec_weights.h"
#include "engine/files/inspect.h"
#include "engine/files/safetensors.h"
#include "engine/files/torch_file.h"
#include "engine/files/upstream_checkpoint.h"
#include "tests/pickle_opcodes.h"

namespace dsf::files_test {
namespace {

const fs::path kTiny = kData / "transformer/rope_concat_tiny";
const fs::path kWeights = kData / "dac/tiny/weights.pth";

struct ZipEntry {
  std::string name;
  std::string content;
  bool compressed = false;
};

class Torch : public FilesTest {
 protected:
  static void read_file(const fs::path& file) { read_torch_file(file); }
  static void read_checkpoint(const fs::path& file) { read_upstream_checkpoint(file); }
  static void read_codec(const fs::path& file) { read_codec_weights(file); }

  /// The bytes of a zip archive.
  std::string zip(const std::vector<ZipEntry>& entries) const {
    const fs::path file = path("made.zip");
    fs::remove(file);
    zip_t* archive = zip_open(file.c_str(), ZIP_CREATE | ZIP_EXCL, nullptr);
    for (const ZipEntry& entry : entries) {
      zip_source_t* source =
          zip_source_buffer(archive, entry.content.data(), entry.content.size(), 0);
      const zip_int64_t index = zip_file_add(archive, entry.name.c_str(), source, 0);
      EXPECT_GE(index, 0);
      zip_set_file_compression(archive, static_cast<zip_uint64_t>(index),
                               entry.compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    }
    EXPECT_EQ(zip_close(archive), 0);
    return bytes_of(file);
  }
  /// An archive as torch's, of a pickle made of opcodes.
  std::string torch(const std::string& opcodes) const {
    return zip({{"a/data.pkl", whole(opcodes)}, {"a/data/0", "123456"}, {"a/byteorder", "little"}});
  }
  void refuse_file(const std::string& bytes, const std::string& part) const {
    expect_refused(read_file, bytes, part);
  }
};

std::string tensor_of(const std::string& key) {
  return torch_tensor(storage("ByteStorage", key, "K\x06"), "K\0"s, "K\x06\x85", "K\x01\x85");
}

// The golden case holds the same tensors in the other format.
TEST_F(Torch, ReadsAGoldenCheckpoint) {
  const UpstreamCheckpoint checkpoint = read_upstream_checkpoint(kTiny / "checkpoint.pth");
  const TensorFile golden = read_safetensors(kTiny / "case.safetensors");
  const auto size = [&](const char* key) { return std::stoll(golden.metadata.at(key)); };
  EXPECT_EQ(checkpoint.inf_context_length, size("Ti"));
  EXPECT_EQ(checkpoint.max_len, size("Tt"));
  EXPECT_EQ(checkpoint.embed_size, size("embed_size"));
  EXPECT_EQ(checkpoint.num_layers, size("num_layers"));
  EXPECT_EQ(checkpoint.num_heads, size("num_heads"));
  EXPECT_EQ(checkpoint.forward_expansion, size("forward_expansion"));
  EXPECT_EQ(checkpoint.num_codebooks, size("num_codebooks"));
  EXPECT_EQ(checkpoint.vocab_size, size("vocab_size"));
  EXPECT_EQ(checkpoint.cond_size, size("cond_size"));
  EXPECT_EQ(checkpoint.num_classes, size("num_classes"));
  EXPECT_EQ(checkpoint.dropout, 0);
  EXPECT_FALSE(checkpoint.use_adaln);
  size_t parameters = 0;
  for (const auto& [name, tensor] : golden.tensors) {
    if (name.rfind("param/", 0) != 0) continue;
    ASSERT_TRUE(checkpoint.state_dict.contains(name.substr(6))) << name;
    EXPECT_EQ(checkpoint.state_dict.at(name.substr(6)), tensor) << name;
    ++parameters;
  }
  EXPECT_GT(parameters, 10U);
  EXPECT_EQ(checkpoint.state_dict.size(), parameters);
}

TEST_F(Torch, ReadsGoldenCodecWeights) {
  const CodecWeights weights = read_codec_weights(kWeights);
  EXPECT_EQ(weights.config.n_codebooks, 4);
  EXPECT_EQ(weights.floats("decoder.model.0.bias", {weights.config.decoder_dim}).size(),
            static_cast<size_t>(weights.config.decoder_dim));
}

TEST_F(Torch, ReadsSharedAndStridedStorages) {
  const PickleValue value =
      read_torch_file(write(torch("("s + tensor_of("0") + tensor_of("0") + "t")));
  EXPECT_EQ(value[0].as_tensor(), value[1].as_tensor());
  EXPECT_EQ(to_int32(value[0].as_tensor()), (std::vector<int32_t>{49, 50, 51, 52, 53, 54}));
}

TEST_F(Torch, RefusesWhatIsNone) {
  expect_refuses_no_file(read_file);
  expect_refuses_no_file(read_checkpoint);
  expect_refuses_no_file(read_codec);
  refuse_file("", "it is empty");
  refuse_file("PK\x03", "not a PyTorch file: it is no zip archive");
  refuse_file("\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80",
              "it has PyTorch's format before 1.6");
  refuse_file("PK\x03\x04 and no archive", "damaged zip archive: ");
  refuse_file(zip({{"a/other", "x"}}), "not a PyTorch file: no entry */data.pkl");
  refuse_file(zip({{"data.pkl", "x"}}), "not a PyTorch file: no entry */data.pkl");
  refuse_file(zip({{"a/b/data.pkl", "x"}}), "not a PyTorch file: no entry */data.pkl");
  refuse_file(zip({{"a/data.pkl", "x"}, {"b/data.pkl", "x"}}), "it has two entries */data.pkl");
  refuse_file(zip({{"a/data.pkl", whole("N")}, {"a/byteorder", "big"}}),
              "byte order 'big', expected 'little'");
  refuse_file(zip({{"a/data.pkl", whole("N")}, {"a/byteorder", std::string(17, 'x')}}),
              "entry 'a/byteorder' has 17 bytes, at most 16 are expected");
  refuse_file(torch("cos\nsystem\n"s + text("true") + "\x85R"),
              "a/data.pkl: byte 2: the callable 'os.system' is not allowed");
  refuse_file(torch(tensor_of("1")), "no entry 'a/data/1' in the archive");
  refuse_file(torch(tensor_of("../data.pkl")), "no entry 'a/data/../data.pkl' in the archive");
}

TEST_F(Torch, RefusesHostileArchives) {
  // Compressed entries expand: none are taken, and so no zip bomb.
  refuse_file(zip({{"a/data.pkl", whole("N")}, {"a/data/0", std::string(1 << 20, 'x'), true}}),
              "entry 'a/data/0' is compressed; PyTorch's are not");
  // The same name twice; the directory at the end is what counts.
  const std::string two = zip({{"a/data.pkl", whole("N")}, {"a/data.pkm", whole("K\x01")}});
  refuse_file(two.substr(0, two.rfind("a/data.pkm")) + "a/data.pkl" +
                  two.substr(two.rfind("a/data.pkm") + 10),
              "entry 'a/data.pkl' is there twice");
  // A size in the directory (24 bytes after the entry's signature, and 20 for the stored size)
  // that the file does not have.
  const std::string good = torch(tensor_of("0"));
  read_file(write(good));
  const size_t entry = good.rfind("a/data/0") - 46;
  ASSERT_EQ(good.substr(entry, 4), "PK\x01\x02");
  std::string large = good;
  large.replace(entry + 20, 4, raw(uint32_t{4'000'000'000}));
  large.replace(entry + 24, 4, raw(uint32_t{4'000'000'000}));
  refuse_file(large, "entry 'a/data/0' claims 4000000000 bytes, more than the file can hold");
  std::string different = good;
  different.replace(entry + 24, 4, raw(uint32_t{5}));
  refuse_file(different, "entry 'a/data/0' is compressed");
  refuse_file(replaced(good, "123456", "123457"), "entry 'a/data/0' is damaged: CRC error");
  // Many entries that are all the same bytes of the file.
  std::string overlapping = zip({{"a/data.pkl", whole("N")},
                                 {"a/data/0", std::string(9000, 'x')},
                                 {"a/data/1", std::string(10, 'y')}});
  const size_t second = overlapping.rfind("a/data/1") - 46;
  overlapping.replace(second + 20, 4, raw(uint32_t{9000}));
  overlapping.replace(second + 24, 4, raw(uint32_t{9000}));
  refuse_file(overlapping, "entry 'a/data/1' claims 9000 bytes, more than the file can hold");
}

TEST_F(Torch, RefusesUnusableCheckpoints) {
  const auto checkpoint = [](const std::string& key, const std::string& value) {
    std::string items;
    for (const char* name : {"inf_context_length", "embed_size", "num_layers", "num_heads",
                             "forward_expansion", "max_len", "num_codebooks", "vocab_size",
                             "cond_size", "num_classes", "dropout", "model_state_dict"}) {
      const bool is_dict = std::string_view(name) == "model_state_dict";
      items += text(name) + (name == key ? value : is_dict ? "}" : "K\x04");
    }
    return "}(" + items + (key == "use_adaLN" || key == "input_type" ? text(key) + value : "") +
           "u";
  };
  const auto refuse = [&](const std::string& key, const std::string& value,
                          const std::string& part) {
    expect_refused(read_checkpoint, torch(checkpoint(key, value)), part);
  };
  EXPECT_EQ(read_upstream_checkpoint(write(torch(checkpoint("", "")))).max_len, 4);
  expect_refused(read_checkpoint, torch("}"), "a/data.pkl: it has no 'inf_context_length'");
  expect_refused(read_checkpoint, torch("]"), "a/data.pkl: expected a dictionary, found a list");
  refuse("embed_size", "G"s + std::string(8, '\0'),
         "'embed_size': expected an integer, found a float");
  refuse("num_classes", "\x8A\x08"s + raw(INT64_MIN),
         "'num_classes': found -9223372036854775808, expected a size of 0 to 1000000000");
  refuse("cond_size", "\x8A\x08"s + raw(INT64_MAX), "'cond_size': found 9223372036854775807");
  refuse("dropout", "N", "'dropout': expected a number, found None");
  refuse("use_adaLN", "K\x01", "'use_adaLN': expected a boolean, found an integer");
  refuse("input_type", "K\x01", "'input_type': expected a string, found an integer");
  refuse("model_state_dict", "]", "'model_state_dict': expected a dictionary, found a list");
  refuse("model_state_dict", "}(K\x01"s + tensor_of("0") + "u",
         "'model_state_dict'/key 1: expected a string, found an integer");
  refuse("model_state_dict", "}("s + text("w") + "Nu",
         "'model_state_dict'/'w': expected a tensor, found None");
}

TEST_F(Torch, RefusesUnusableCodecWeights) {
  const auto refuse = [&](const std::string& opcodes, const std::string& part) {
    expect_refused(read_codec, torch(opcodes), part);
  };
  const auto with_kwargs = [](const std::string& kwargs) {
    return "}("s + text("metadata") + "}" + text("kwargs") + kwargs + "s" + text("state_dict") +
           "}u";
  };
  refuse("}", "a/data.pkl: it has no 'metadata'");
  refuse("}"s + text("metadata") + "}s", "'metadata': it has no 'kwargs'");
  refuse(with_kwargs("}"), "'metadata'/'kwargs': it has no 'encoder_dim'");
  const auto kwargs = [&](const std::string& key, const std::string& value) {
    std::string items = "}(";
    for (const char* name : {"encoder_dim", "decoder_dim", "n_codebooks", "codebook_size",
                             "codebook_dim", "sample_rate"}) {
      items += text(name) + (name == key ? value : "K\x08");
    }
    for (const char* name : {"encoder_rates", "decoder_rates"}) {
      items += text(name) + (name == key ? value
                                         : "](K\x02K\x04"
                                           "e");
    }
    return with_kwargs(items + "u");
  };
  EXPECT_EQ(read_codec_weights(write(torch(kwargs("", "")))).config.latent_dim, 32);
  const std::string least = "\x8A\x08"s + raw(INT64_MIN), most = "\x8A\x08"s + raw(INT64_MAX);
  refuse(kwargs("encoder_dim", least), "encoder_dim is -9223372036854775808, expected 1");
  refuse(kwargs("decoder_dim", most), "decoder_dim is 9223372036854775807, expected 1");
  refuse(kwargs("codebook_size", "J"s + raw(65537)), "codebook_size is 65537, expected 1 … 65536");
  refuse(kwargs("encoder_rates", "]"), "encoder_rates has 0 entries, expected 1 … 16");
  refuse(kwargs("decoder_rates", "](" + most + most + "e"), "decoder_rates is 9223372036854775807");
  refuse(kwargs("decoder_rates",
                "](M\xFF\xFFM\xFF\xFF"
                "e"),
         "the product of decoder_rates is 4294836225, expected 1 … 65536");
  refuse(kwargs("decoder_rates",
                "](K\x03K\x04"
                "e"),
         "the product of encoder_rates is 8, of decoder_rates 12: expected the same");
  refuse(kwargs("decoder_dim", "K\x03"), "decoder_dim 3 cannot be halved in each of 2 blocks");
  refuse(kwargs("encoder_rates", "K\x08"), "'encoder_rates': expected a list of integers, found");
}

TEST_F(Torch, OfACodecsConfigurationNoTensorIsRead) {
  const std::string whole = bytes_of(kWeights);
  const CodecConfig config = read_codec_weights(kWeights).config;
  std::string damaged = whole;
  damaged[whole.size() / 2] ^= 1;  // in one of them
  const fs::path file = write(damaged);
  EXPECT_NE(error_of([&] { read_codec_weights(file); }).find("weights/data/"), std::string::npos);
  const CodecConfig read = read_codec_config(file);
  EXPECT_EQ(read.n_codebooks, config.n_codebooks);
  EXPECT_EQ(read.decoder_rates, config.decoder_rates);
  EXPECT_FALSE(
      read_torch_file(file, WithElements::no).at("state_dict").entries()[0].second.is_tensor());
}

TEST_F(Torch, SurvivesDamage) {
  const std::string checkpoint = bytes_of(kTiny / "checkpoint.pth");
  expect_refuses_truncations(read_checkpoint, checkpoint, 97);
  const int refused = expect_survives_damage(read_checkpoint, checkpoint, 2000);
  EXPECT_GT(refused, 500);   // a checksum guards every byte of a tensor
  EXPECT_LT(refused, 2000);  // but there is padding, and nothing reads the local headers' names
  // Small archives, where damage meets the structure more often than the contents.
  const std::string small = torch("}("s + text("w") + tensor_of("0") + text("n") + "K\x05u");
  expect_refuses_truncations(read_file, small);
  EXPECT_GT(expect_survives_damage(read_file, small, 4000), 1000);
}

// Deep dictionaries with long keys, shared by reference, above a wide one: names that grow with the
// depth would take gigabytes.
TEST_F(Torch, ListingAHostileFileTakesNoMoreThanTheFileDoes) {
  constexpr int kDepth = 60, kValues = 100'000;
  std::string pickle = "}" + text(std::string(80'000, 'k'));
  pickle += "q\0"s;  // to the memo
  pickle += repeated("}h\0"s, kDepth - 1);
  pickle += "}(";
  for (int i = 0; i < kValues; ++i) pickle += "J"s + raw(i) + "N";
  pickle += "u" + std::string(kDepth, 's');
  const fs::path file = write(torch(pickle), "hostile.pth");
  std::string listing;
  constexpr uint64_t kMegabytes = 1 << 20;
  EXPECT_LT(peak_growth([&] { listing = inspect_file(file); }), 200 * kMegabytes);
  EXPECT_LT(listing.size(), 2 * kMegabytes);
  expect_contains(listing, std::string(80, 'k') + "…  None\n");
  expect_contains(listing, "… and 90000 more, which are not listed\n0 tensors, 0 bytes\n");
}

TEST_F(Torch, NamesInAListingAreCutAtCharacters) {
  const std::string outer(76, 'a'), inner = "bäxxxxxxxx";  // the 80th byte is inside of an umlaut
  std::string pickle = "}" + text(outer);
  pickle += "}" + text(inner);
  pickle += "Nss";
  expect_contains(inspect_file(write(torch(pickle), "long.pth")), outer + "/bä…  None\n0 tensors");
}

}  // namespace
}  // namespace dsf::files_test
