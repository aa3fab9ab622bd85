// The configuration reader: upstream's schema, ours, overrides, and what each mistake is told.
#include "engine/config/training_config.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "kernels/common/checks.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUpstream = DSF_SOURCE_DIR "/tests/data/params_med_upstream.yaml";

std::string text_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class TrainingConfigTest : public ::testing::Test {
 protected:
  TrainingConfig read(const fs::path& file, const std::vector<std::string>& overrides = {}) {
    warnings_.clear();
    return read_training_config(file, overrides,
                                [this](const std::string& text) { warnings_.push_back(text); });
  }
  fs::path write(const std::string& text) {
    std::ofstream(file_, std::ios::binary) << text;
    return file_;
  }
  /// Upstream's test file with `from` replaced by `to`.
  fs::path write_changed(const std::string& from, const std::string& to) {
    std::string text = text_of(kUpstream);
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return write(text.replace(at, from.size(), to));
  }
  std::string error_of(const fs::path& file, const std::vector<std::string>& overrides = {}) {
    try {
      read(file, overrides);
    } catch (const UsageError& error) {
      return error.what();
    }
    ADD_FAILURE() << "no UsageError";
    return "";
  }
  void TearDown() override { fs::remove(file_); }

  std::vector<std::string> warnings_;
  const fs::path file_ =
      fs::path(::testing::TempDir()) /
      fmt::format("dsf_{}.yaml", ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in: " << text;
}

TEST_F(TrainingConfigTest, ReadsUpstreamsSchema) {
  const TrainingConfig config = read(kUpstream);
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(config.experiment, "medtest");
  EXPECT_EQ(config.data_dir, "testdata/dac-train");
  EXPECT_EQ(config.validator_data_dir, "testdata/dac-val");
  ModelConfig model;
  model.model_class = ModelClass::rope_concat;
  model.embed_size = 24;
  model.num_layers = 2;
  model.num_heads = 2;
  model.forward_expansion = 2;
  model.lookback = 86;
  model.max_length = 430;
  model.num_codebooks = 4;
  model.vocab_size = 1024;
  model.num_classes = 7;
  model.num_parameters = 1;
  model.dropout = 0.2F;
  EXPECT_EQ(config.model, model);
  const std::vector<std::string> classes = {"DSPistons", "DSWind", "DSApplause", "DSBugs",
                                            "Foo",       "Bar",    "Baz"};
  EXPECT_EQ(config.class_names, classes);
  EXPECT_EQ(config.class_aliases.at(3), std::vector<std::string>{"bees"});
  EXPECT_TRUE(config.class_aliases.at(6).empty());
  EXPECT_TRUE(config.parameter_names.empty());
  EXPECT_EQ(config.batch_size, 4);
  EXPECT_EQ(config.num_epochs, 1000);
  EXPECT_EQ(config.error_log_rate, 50);
  EXPECT_EQ(config.checkpoint_interval, 100);
  EXPECT_EQ(config.learning_rate, 5e-4F);
  EXPECT_EQ(config.yaml, text_of(kUpstream));
}

// Upstream's schema of March 2025: the data frame gives the conditioning.
constexpr const char* kLater =
    "experiment: \"mini\"\n"
    "data_dir: \"d/train\"\n"
    "data_frames: \"d/train.xlsx\"\n"
    "validator_data_dir: \"d/val\"\n"
    "validator_data_frames: \"d/val.xlsx\"\n"
    "TransformerClass: \"RopeCondDACTransformer\"\n"
    "ftype: 'dac' # dac or mel\n"
    "vocab_size: 1024\n"
    "input_type: \"int\"\n"
    "num_tokens: 4\n"
    "model_size: 64\n"
    "Ti: 43\nTt: 430\nbatch_size: 4\nnum_layers: 2\nnum_heads: 4\nforward_expansion: 2\n"
    "dropout_rate: 0.2\nlearning_rate: 0.0005\n"
    "use_adaLN: False #else FiLM\n"
    "num_epochs: 2\nErrorLogRate: 1\ncheckpoint_interval: 2\n";

TEST_F(TrainingConfigTest, ReadsUpstreamsLaterSchema) {
  TrainingConfig config = read(write(kLater));
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(config.model.model_class, ModelClass::rope_film);
  EXPECT_EQ(config.model.embed_size, 64);
  EXPECT_EQ(config.model.cond_size(), 0);  // not known yet
  EXPECT_EQ(config.data_frame, "d/train.xlsx");
  EXPECT_EQ(config.validator_data_frame, "d/val.xlsx");
  EXPECT_FALSE(config.random_crop);
  config = read(file_, {"use_adaLN=True", "random_crop=true", "validator_data_dir=null",
                        "validator_data_frames=null"});
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(config.model.model_class, ModelClass::rope_adaln);
  EXPECT_TRUE(config.random_crop);
  EXPECT_TRUE(config.validator_data_dir.empty());
  EXPECT_TRUE(config.validator_data_frame.empty());
  config = read(file_, {"TransformerClass=StreamingDACTransformer", "cond_params=1"});
  EXPECT_EQ(config.model.model_class, ModelClass::streaming);
  EXPECT_EQ(config.model.cond_size(), 0);
  ASSERT_EQ(warnings_.size(), 2U);
  expect_contains(warnings_[0], file_.string() + ":20: use_adaLN has no effect");
  expect_contains(warnings_[1], "--set cond_params=1: cond_params has no effect: the data frame");
}

TEST_F(TrainingConfigTest, TheLaterClassAlsoLearnsFromFileNames) {
  const TrainingConfig config =
      read(write(kLater),
           {"data_frames=", "validator_data_frames=", "class_names=[a, b]", "cond_params=1"});
  EXPECT_TRUE(config.data_frame.empty());
  EXPECT_EQ(config.model.cond_size(), 3);
}

TEST_F(TrainingConfigTest, MistakesInTheLaterSchema) {
  write(kLater);
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes = {
      {{"ftype=mel"}, "ftype is 'mel', expected 'dac': dsf learns codes of .dac files"},
      {{"input_type=float"}, "input_type is 'float', expected 'int': dsf learns codes"},
      {{"use_adaLN="}, "missing key: use_adaLN (True or False; January 2025's model has none"},
      {{"use_adaLN=yes"}, "use_adaLN is 'yes', expected true or false"},
      {{"use_adaLN='True'"}, "use_adaLN is 'True', expected true or false"},
      {{"random_crop=1"}, "random_crop is '1', expected true or false"},
      {{"validator_data_frames="}, "expected validator_data_dir and validator_data_frames both"},
      {{"validator_data_dir="}, "expected validator_data_dir and validator_data_frames both"},
      {{"data_frames="}, "validator_data_frames is 'd/val.xlsx', expected data_frames beside it"},
      {{"model_size=", "tblock_input_size=32", "use_adaLN="},
       "tblock_input_size is '32', expected model_size in its place"},
      {{"num_heads=3"}, "the embedding size 64 is not divisible by num_heads 3"},
      {{"num_tokens=3"}, "the embedding size 64 is not divisible by num_tokens 3"},
      {{"model_size=66", "num_heads=2", "num_tokens=2"},
       "the embedding size 66 is not divisible by 4, as its rotary embedding needs"},
  };
  for (const auto& [overrides, message] : mistakes) {
    expect_contains(error_of(file_, overrides), message);
  }
  // Ours turns the channels of each head by themselves.
  EXPECT_EQ(read(file_, {"TransformerClass=StreamingDACTransformer", "model_size=66", "num_heads=1",
                         "num_tokens=2"})
                .model.embed_size,
            66);
  std::string text = kLater;
  text.erase(text.find("validator_data_frames"),
             text.find("TransformerClass") - text.find("validator_data_frames"));
  expect_contains(error_of(write(text)), "missing key: validator_data_frames");
  EXPECT_TRUE(read(file_, {"validator_data_dir=null"}).validator_data_frame.empty());
}

TEST_F(TrainingConfigTest, ReadsEveryConfigurationOfThisProject) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(DSF_SOURCE_DIR "/configs")) {
    if (!entry.is_regular_file()) continue;
    const TrainingConfig config = read(entry.path());
    EXPECT_TRUE(warnings_.empty()) << entry.path();
    EXPECT_EQ(config.model.model_class, ModelClass::streaming) << entry.path();
    EXPECT_EQ(config.model.cond_size(), 5) << entry.path();
    EXPECT_EQ(config.codec, "bundled") << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 5);
  const TrainingConfig small = read(DSF_SOURCE_DIR "/configs/params_sm.yaml");
  EXPECT_EQ(small.experiment, "smalltest");
  EXPECT_EQ(small.model.embed_size, 32);
  EXPECT_EQ(small.num_epochs, 2);
  EXPECT_EQ(read(DSF_SOURCE_DIR "/configs/params.yaml").model.head_size(), 64);
}

TEST_F(TrainingConfigTest, OverridesReplaceAndAddAndAreWrittenBack) {
  const std::vector<std::string> overrides = {
      "batch_size=3",        "batch_size=5", "experiment=2024", "parameter_names=['rate, speed']",
      "validator_data_dir=", "data_dir=a=b"};
  const TrainingConfig config = read(kUpstream, overrides);
  EXPECT_EQ(config.batch_size, 5);
  EXPECT_EQ(config.experiment, "2024");
  EXPECT_EQ(config.parameter_names, std::vector<std::string>{"rate, speed"});
  EXPECT_TRUE(config.validator_data_dir.empty());
  EXPECT_EQ(config.data_dir, "a=b");

  const TrainingConfig again = read(write(config.yaml));
  EXPECT_EQ(again.model, config.model);
  EXPECT_EQ(again.batch_size, 5);
  EXPECT_EQ(again.experiment, "2024");
  EXPECT_EQ(again.parameter_names, config.parameter_names);
  EXPECT_TRUE(again.validator_data_dir.empty());
  EXPECT_EQ(again.yaml, config.yaml);
}

TEST_F(TrainingConfigTest, WritingBackKeepsQuotesAndUnknownKeys) {
  const std::string notes =
      "more: one\n\n  two\nnotes: {\"a \\\"b\\\"\": [1, '2'], \"c\": \"x\\ty\"}\n";
  const TrainingConfig config =
      read(write_changed("experiment: medtest", notes + "experiment: \"01.27\""), {"Ti=9"});
  expect_contains(config.yaml, "more: \"one\\x0atwo\"\n");
  expect_contains(config.yaml, "experiment: \"01.27\"\n");
  expect_contains(config.yaml, "notes: {\"a \\\"b\\\"\": [1, \"2\"], \"c\": \"x\\x09y\"}\n");
  expect_contains(config.yaml, "\nTi: 9\n");
  expect_contains(config.yaml, "\nlearning_rate: 0.0005\n");
}

TEST_F(TrainingConfigTest, ClassNamesAndAliasesMayBeGiven) {
  const TrainingConfig config = read(write_changed("tblock_input_size: 32",
                                                   "tblock_input_size: 28\n"
                                                   "class_names: [[rain, drizzle], sea, fire]"));
  EXPECT_EQ(config.class_names, (std::vector<std::string>{"rain", "sea", "fire"}));
  EXPECT_EQ(config.class_aliases.at(0), std::vector<std::string>{"drizzle"});
  EXPECT_EQ(config.model.embed_size, 24);
}

TEST_F(TrainingConfigTest, TheCodecIsAWordOrAFileThatIsThere) {
  EXPECT_EQ(read(kUpstream).codec, "");
  EXPECT_EQ(read(kUpstream, {"codec=bundled"}).codec, "bundled");
  EXPECT_EQ(read(kUpstream, {"codec=official"}).codec, "official");
  EXPECT_EQ(read(kUpstream, {"codec=null"}).codec, "");
  const fs::path file = fs::path(kUpstream).lexically_relative(fs::current_path());
  EXPECT_EQ(read(kUpstream, {"codec=" + file.string()}).codec, kUpstream);
  for (const std::string& wrong :
       {std::string("offical"), std::string("."), std::string(5000, 'x')}) {
    expect_contains(error_of(write_changed("Tt: 430", "Tt: 430\ncodec: " + wrong)),
                    file_.string() + ":14: codec is '");
  }
  expect_contains(error_of(kUpstream, {"codec=bundeld"}),
                  "expected bundled, official or a file of codec weights that is there");
  expect_contains(error_of(kUpstream, {"codec=[bundled]"}), "codec is a list, expected a text");
  expect_contains(error_of(kUpstream, {"codek=bundled"}), "did you mean codec?");
}

TEST_F(TrainingConfigTest, WarnsOfACodecThatMayNotBeThatOfTheData) {
  const fs::path file = write_changed("Tt: 430", "Tt: 430\ncodec: bundled");
  for (const std::vector<std::string>& quiet : std::vector<std::vector<std::string>>{
           {}, {"Ti=9"}, {"data_dir=x", "codec=bundled"}, {"codec=null", "data_dir=x"}}) {
    read(file, quiet);
    EXPECT_TRUE(warnings_.empty());
  }
  read(kUpstream, {"data_dir=x"});
  EXPECT_TRUE(warnings_.empty()) << "it names none";
  EXPECT_EQ(read(file, {"data_dir=x"}).codec, "bundled");
  ASSERT_EQ(warnings_.size(), 1U);
  expect_contains(warnings_[0], file.string() + ":14: codec ");
  expect_contains(warnings_[0], "--set codec=");
}

TEST_F(TrainingConfigTest, OurClassMayDelayCodebooks) {
  const fs::path ours = fs::path(DSF_SOURCE_DIR) / "configs/params.yaml";
  EXPECT_EQ(read(ours, {"codebook_delay=1"}).model.codebook_delay, 1);
  EXPECT_EQ(read(ours, {"codebook_delay=0"}).model.codebook_delay, 0);
  EXPECT_EQ(read(kUpstream, {}).model.codebook_delay, 0);
  expect_contains(error_of(ours, {"codebook_delay=2"}), "codebook_delay is '2'");
  expect_contains(error_of(ours, {"codebook_delay=1", "Tt=2"}), "num_tokens - 1 = 3");
  expect_contains(error_of(kUpstream, {"codebook_delay=1"}), "draws a frame's codes at once");
}

TEST_F(TrainingConfigTest, SaysHowTheModelsCodesAreDrawn) {
  const fs::path ours = fs::path(DSF_SOURCE_DIR) / "configs/params.yaml";
  EXPECT_EQ(read(ours, {}).sampling, SampleSettings{});
  EXPECT_EQ(read(ours, {"top_n=1024", "temperature=0.5", "min_p=0.25"}).sampling,
            (SampleSettings{1024, 0.5F, 0.25F}));
  for (const auto& [mistake, part] :
       {std::pair{"top_n=0", "top_n is '0'"}, std::pair{"top_n=65537", "top_n is '65537'"},
        std::pair{"temperature=0", "temperature is '0', expected a number above 0"},
        std::pair{"temperature=.inf", "temperature is '.inf'"},
        std::pair{"min_p=1.5", "min_p is '1.5', expected a number from 0 to 1"}}) {
    expect_contains(error_of(ours, {mistake}), part);
  }
}

TEST_F(TrainingConfigTest, WarnsOfUnknownKeysWithTheNearestKnownOne) {
  read(write_changed("testsnd:", "batchsize: 2\nnonsense: true\ntestsnd:"));
  ASSERT_EQ(warnings_.size(), 2U);
  EXPECT_EQ(warnings_[0], file_.string() +
                              ":4: the key 'batchsize' is not known and has no "
                              "effect; did you mean batch_size?");
  EXPECT_EQ(warnings_[1], file_.string() + ":5: the key 'nonsense' is not known and has no effect");
}

TEST_F(TrainingConfigTest, ListsEveryMissingKey) {
  const std::string message = error_of(write("experiment: x\nTi: 3\n"));
  EXPECT_EQ(message,
            file_.string() +
                ": missing keys: data_dir, validator_data_dir, TransformerClass, class_names, "
                "cond_params, model_size, vocab_size, num_tokens, Tt, num_layers, num_heads, "
                "forward_expansion, dropout_rate, batch_size, learning_rate, num_epochs, "
                "ErrorLogRate, checkpoint_interval");
}

TEST_F(TrainingConfigTest, SaysFileLineKeyFoundAndExpected) {
  struct Mistake {
    std::string from, to, message;
  };
  const std::string f = file_.string();
  const std::vector<Mistake> mistakes = {
      {"Tt: 430", "Tt: long", f + ":13: Tt is 'long', expected a whole number from 1 to 1000000"},
      {"Tt: 430", "Tt: 0", f + ":13: Tt is '0', expected a whole number from 1 to 1000000"},
      {"Tt: 430", "Tt: 430.0", f + ":13: Tt is '430.0', expected a whole"},
      {"Tt: 430", "Tt: " + std::string(79, 'a') + "ä",
       f + ":13: Tt is '" + std::string(79, 'a') + "…'"},
      {"Tt: 430", "Tt: '430'", f + ":13: Tt is '430', expected a whole"},
      {"Tt: 430", "Tt: [430]", f + ":13: Tt is a list, expected a whole"},
      {"Tt: 430", "Tt: 99999999999999999999", "expected a whole number from 1 to 1000000"},
      {"Tt: 430", "Tt: 430\nTt: 431", f + ":14: Tt was given before, at " + f + ":13"},
      {"dropout_rate: 0.2", "dropout_rate: 1", "is '1', expected a number from 0 to below 1"},
      {"dropout_rate: 0.2", "dropout_rate: nan", "is 'nan', expected a number from 0"},
      {"learning_rate: 0.0005", "learning_rate: 0", "is '0', expected a number above 0"},
      {"learning_rate: 0.0005", "learning_rate: inf", "is 'inf', expected a number above 0"},
      {"num_epochs: 1000", "num_epochs: -1", "expected a whole number from 1"},
      {"experiment: medtest", "experiment: ../x", "expected the name of a folder below runs/"},
      {"experiment: medtest", "experiment: /x", "expected the name of a folder below runs/"},
      {"data_dir: testdata", "data_dir: {a: b}\n#", "data_dir is a map, expected a text"},
      {"RopeCondDACTransformer", "Nothing", f + ":7: TransformerClass 'Nothing' is not supported"},
      {"cond_params: 1", "cond_params: 1\nparameter_names: [a, b]", "expected 1 name,"},
      {"cond_params: 1", "cond_params: 1\nclass_names: [[a, b], b]", "'b' occurs again"},
      {"cond_params: 1", "cond_params: 1\nclass_names: [{a: b}]", "holds a map, expected names"},
      {"cond_params: 1", "cond_params: 1\nclass_names: a", "expected a list of names"},
      {"tblock_input_size: 32", "tblock_input_size: 8", "expected a whole number from 9"},
      {"tblock_input_size: 32", "tblock_input_size: 33", "embedding size 25 is not divisible"},
      {"Tt: 430", "model_size: 24", "either tblock_input_size or model_size, not both"},
      {"tblock_input_size: 32", "model_size: 24\nclass_names: [a]", "missing key: use_adaLN"},
      {"vocab_size: 1024", "vocab_size: 65537", "vocab_size is 65537, it must be at most 65536"},
      {"Ti: 86", "Ti 86", "not valid YAML"},
  };
  for (const Mistake& mistake : mistakes) {
    expect_contains(error_of(write_changed(mistake.from, mistake.to)), mistake.message);
  }
}

TEST_F(TrainingConfigTest, RefusesUnusableOverrides) {
  expect_contains(error_of(kUpstream, {"batch_size"}), "--set batch_size: expected key=value");
  expect_contains(error_of(kUpstream, {"batch=4"}), "--set batch=4: the key 'batch' is not known");
  expect_contains(error_of(kUpstream, {"batch_siz=4"}), "did you mean batch_size?");
  expect_contains(error_of(kUpstream, {"batch_size=many"}),
                  "--set batch_size=many: batch_size is 'many', expected a whole number");
  expect_contains(error_of(kUpstream, {"data_dir="}), "missing key: data_dir");
}

TEST_F(TrainingConfigTest, RefusesHostileFiles) {
  const auto repeat = [](const std::string& part, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += part;
    return text;
  };
  const int many = 100'000;
  expect_contains(error_of(write("a: " + repeat("[", many))), "nested more than 16 deep");
  expect_contains(error_of(write(repeat("- ", many))), "nested more than 16 deep");
  expect_contains(error_of(write(repeat("? ", many))), "nested more than 16 deep");
  expect_contains(error_of(write("a: " + repeat("{a: ", many))), "nested more than 16 deep");
  expect_contains(error_of(write("a: &x [1]\nb: [*x, *x]\n")), ":1: anchors are not supported");
  expect_contains(error_of(write("a: *x\n")), "not valid YAML");
  expect_contains(error_of(write("a: !!binary aGk=\n")), ":1: tags are not supported");
  expect_contains(error_of(write("a: 1\n---\nb: 2\n")), "several documents");
  expect_contains(error_of(write("just a text")), "expected lines of the form");
  expect_contains(error_of(write("")), "found nothing, expected lines of the form");
  expect_contains(error_of(write("[a]: b")), "the key is a list, expected a name");
  expect_contains(error_of(write(std::string("a: \0b", 5))), "byte 3 is zero");
  EXPECT_THROW(read(write(repeat("# comment\n", 110'000))), Error);  // above 1 MB
  EXPECT_THROW(read(::testing::TempDir()), Error);
  EXPECT_THROW(read(file_.string() + ".none"), Error);
}

// Every prefix of a good file, and the file with each byte changed, is read or refused.
TEST_F(TrainingConfigTest, SurvivesDamagedFiles) {
  const std::string text = text_of(kUpstream);
  const auto survives = [&](const std::string& damaged) {
    try {
      read(write(damaged));
    } catch (const UsageError&) {
    }
  };
  for (size_t i = 0; i < text.size(); i += 3) {
    survives(text.substr(0, i));
    for (const char byte : {'\0', '{', '"', '\xff', '\n', ':'}) {
      std::string damaged = text;
      damaged[i] = byte;
      survives(damaged);
    }
  }
}

}  // namespace
}  // namespace dsf
