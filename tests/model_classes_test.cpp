// The model classes side by side: names, upstream's state dicts, learning, checkpoints.
#include <gtest/gtest.h>
#include <zip.h>

#include <cstdio>
#include <filesystem>
#include <functional>

#include "engine/files/torch_file.h"
#include "engine/training/checkpoint.h"
#include "kernels/common/checks.h"
#include "tests/model_classes.h"
#include "tests/sequences.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;

fs::path upstream_checkpoint(ModelClass model_class) {
  return fs::path(DSF_SOURCE_DIR) /
         fmt::format("tests/data/transformer/{}_tiny/checkpoint.pth", variant_name(model_class));
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no Error";
}

void expect_parts(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
  }
}

TEST(ModelClasses, NamesAreReadAsTheyAreWritten) {
  for (const ModelClass model_class : kModelClasses) {
    EXPECT_EQ(parse_model_class(model_class_name(model_class), model_class_use_adaln(model_class)),
              model_class);
    EXPECT_EQ(find_variant(variant_name(model_class)), model_class);
  }
  EXPECT_EQ(find_variant("mamba"), std::nullopt);
}

TEST(ModelClasses, UnknownNamesAndSchemasAreRefused) {
  const auto parse = [](const char* name, std::optional<bool> use_adaln) {
    return message_of([&] { parse_model_class(name, use_adaln); });
  };
  expect_parts(parse("Mamba", std::nullopt), {"'Mamba' is not supported",
                                              "known: RopeCondDACTransformer, "
                                              "PostNormCondDACTransformerDecoder, "
                                              "StreamingDACTransformer"});
  expect_parts(parse("PostNormCondDACTransformerDecoder", false),
               {"comes with no use_adaLN, found use_adaLN False"});
  expect_parts(parse("StreamingDACTransformer", true),
               {"comes with no use_adaLN, found use_adaLN True"});
}

class UpstreamClass : public ::testing::TestWithParam<ModelClass> {};

// The order matters: by it upstream's optimizer numbers the parameters.
TEST_P(UpstreamClass, ParametersAreThoseOfUpstreamsStateDictInItsOrder) {
  const fs::path path = upstream_checkpoint(GetParam());
  std::vector<std::string> theirs, ours;
  for (const auto& [name, tensor] : read_torch_file(path).at("model_state_dict").entries()) {
    if (name.as_string().find("positional_embedding.") != std::string::npos) continue;  // a buffer
    theirs.push_back(
        fmt::format("{} [{}]", name.as_string(), fmt::join(tensor.as_tensor().shape, ", ")));
  }
  const TrainedModel model = read_model(path);
  EXPECT_EQ(model.info.config.model_class, GetParam());
  for (const Parameter& parameter : model.table.entries()) {
    ours.push_back(fmt::format("{} {}", parameter.name, parameter.shape.str()));
  }
  EXPECT_EQ(ours, theirs);
}

INSTANTIATE_TEST_SUITE_P(Models, UpstreamClass, ::testing::ValuesIn(upstream_classes()),
                         class_test_name);

/// Upstream's checkpoint of a class with its pickle changed by `edit`, in a file that is removed.
class EditedCheckpoint {
 public:
  EditedCheckpoint(ModelClass model_class, const std::function<void(std::string&)>& edit) {
    fs::copy_file(upstream_checkpoint(model_class), path_, fs::copy_options::overwrite_existing);
    zip_t* archive = zip_open(path_.c_str(), 0, nullptr);
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
      const auto index = static_cast<zip_uint64_t>(i);
      if (!std::string(zip_get_name(archive, index, 0)).ends_with("/data.pkl")) continue;
      zip_stat_t stat;
      zip_stat_index(archive, index, 0, &stat);
      pickle_.resize(stat.size);
      zip_file_t* file = zip_fopen_index(archive, index, 0);
      EXPECT_EQ(zip_fread(file, pickle_.data(), stat.size), static_cast<zip_int64_t>(stat.size));
      zip_fclose(file);
      edit(pickle_);
      // Replaced in place it would be compressed by some versions of libzip.
      const std::string name = zip_get_name(archive, index, 0);
      zip_delete(archive, index);
      const zip_int64_t added = zip_file_add(
          archive, name.c_str(), zip_source_buffer(archive, pickle_.data(), pickle_.size(), 0), 0);
      zip_set_file_compression(archive, static_cast<zip_uint64_t>(added), ZIP_CM_STORE, 0);
      break;
    }
    EXPECT_EQ(zip_close(archive), 0);
  }
  ~EditedCheckpoint() { fs::remove(path_); }
  std::string error() const {
    return message_of([&] { read_model(path_); });
  }

 private:
  const fs::path path_ = fs::path(::testing::TempDir()) / "dsf_edited_checkpoint.pth";
  std::string pickle_;
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

TEST(ModelClasses, AnUpstreamCheckpointMustBeWhatItClaims) {
  for (const ModelClass model_class : {ModelClass::rope_film, ModelClass::rope_adaln}) {
    const EditedCheckpoint other_flag(model_class, [](std::string& pickle) {
      // After the key come its memo number (q, one byte; or r, four) and the flag.
      const size_t memo = pickle.find("use_adaLN") + 9;
      char& flag = pickle.at(memo + (pickle.at(memo) == 'q' ? 2 : 5));
      ASSERT_TRUE(flag == '\x88' || flag == '\x89');
      flag = flag == '\x88' ? '\x89' : '\x88';
    });
    expect_parts(other_flag.error(),
                 {"dsf_edited_checkpoint.pth", "use_adaLN is",
                  fmt::format("its tensors are those of RopeCondDACTransformer ({})",
                              variant_name(model_class))});
  }
  const EditedCheckpoint unknown(ModelClass::rope_concat, [](std::string& pickle) {
    replace_all(pickle, "linear_reduce", "linear_expand");
  });
  expect_parts(unknown.error(), {"dsf_edited_checkpoint.pth", "none of upstream's classes"});
  const EditedCheckpoint mel(ModelClass::rope_film, [](std::string& pickle) {
    replace_all(pickle, std::string("\3\0\0\0int", 7), std::string("\3\0\0\0mel", 7));
  });
  expect_parts(mel.error(), {"dsf_edited_checkpoint.pth", "input_type is 'mel'"});
}

ModelConfig small_config(ModelClass model_class) {
  ModelConfig config;
  config.model_class = model_class;
  config.embed_size = 16;
  config.num_layers = 2;
  config.num_heads = 2;
  config.forward_expansion = 2;
  config.lookback = 5;
  config.max_length = 11;
  config.num_codebooks = 2;
  config.vocab_size = 13;
  config.num_classes = 2;
  config.num_parameters = 1;
  config.dropout = 0.1F;
  return config;
}

/// Three sequences in which every frame tells the next.
testing::MadeSequences lesson(const ModelConfig& config) {
  std::vector<int32_t> frames;
  for (int64_t s = 0; s < 3; ++s) {
    for (int64_t t = 0; t <= config.max_length; ++t) {
      for (int64_t n = 0; n < config.num_codebooks; ++n) {
        frames.push_back(static_cast<int32_t>((s + 2 * t + 3 * n) % config.vocab_size));
      }
    }
  }
  return {{3, config.max_length + 1, config.num_codebooks},
          frames,
          {1, 0, 0.1F, 0, 1, 0.5F, 1, 0, 0.9F}};
}

class EveryClass : public ::testing::TestWithParam<ModelClass> {
 protected:
  void TearDown() override { fs::remove(path_); }

  const ModelConfig config_ = small_config(GetParam());
  const CheckpointInfo info_{config_, {"rain", "wind"}, {"rate"}, 0, 0, 4};
  const testing::MadeSequences lesson_ = lesson(config_);
  const fs::path path_ = fs::path(::testing::TempDir()) /
                         fmt::format("dsf_class_{}.safetensors", variant_name(GetParam()));
};

TEST_P(EveryClass, TrainingLowersTheLoss) {
  Learner learner(config_, 3, 5e-3F, 4);
  const float before = learner.evaluate(lesson_.all());
  for (int step = 0; step < 40; ++step) learner.train(lesson_.all());
  const float after = learner.evaluate(lesson_.all());
  std::printf("    loss %.3f, after 40 steps %.3f\n", before, after);
  EXPECT_LT(after, before / 2);
}

TEST_P(EveryClass, ACheckpointOfAnotherClassIsNotResumed) {
  const Learner learner(config_, 3, 5e-3F, 4);
  write_checkpoint(path_, learner, info_);
  for (const ModelClass other_class : kModelClasses) {
    if (other_class == GetParam()) continue;
    CheckpointInfo run = info_;
    run.config.model_class = other_class;
    Learner other(run.config, 3, 5e-3F, 4);
    const bool same_name = model_class_name(other_class) == model_class_name(GetParam());
    expect_parts(message_of([&] { resume(path_, run, other); }),
                 {path_.string(), same_name ? "use_adaLN is" : "transformer_class is"});
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EveryClass, ::testing::ValuesIn(kModelClasses), class_test_name);

}  // namespace
}  // namespace dsf
