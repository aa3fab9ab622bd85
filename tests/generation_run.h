#pragma once
// A model with random weights and what dsf_infer makes with it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/generation/run.h"
#include "tests/program.h"
#include "tests/small_model.h"
#include "tests/tiny_run.h"

namespace dsf::testing {

namespace fs = std::filesystem;

inline const fs::path kTinyCodec = fs::path(DSF_SOURCE_DIR) / "tests/data/dac/tiny/weights.pth";

/// A model with random weights, in a folder of its own.
class GenerationRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::temp_directory_path() /
                 fmt::format("dsf_run_{}_{}", test->name(), static_cast<int>(getpid()));
    fs::create_directories(directory_);
    setenv("HOME", directory_.c_str(), 1);  // no codec lies there, nor a model here
    setenv("DSF_DATA", (directory_ / "data").c_str(), 1);
    make_model(ModelClass::streaming);
  }
  void TearDown() override { fs::remove_all(directory_); }

  void make_model(ModelClass model_class, int64_t vocabulary = 64, int64_t codebooks = 4,
                  const std::string& codec = "", int64_t codebook_delay = 0) {
    config_ = small_model(model_class);
    config_.codebook_delay = codebook_delay;
    config_.num_codebooks = codebooks;
    config_.vocab_size = vocabulary;
    const Learner learner(config_, 1, 1e-3F, 5);
    write_checkpoint(directory_ / "model.safetensors", learner,
                     {config_, class_names_, {"rate"}, 1, 1, 5, 0, {}, codec});
  }
  /// The tiny codec as the bundled one.
  void bundle_codec() const {
    fs::create_directories(out("data/codec"));
    fs::copy_file(kTinyCodec, out("data/codec/weights.pth"));
  }
  /// The model as the bundled one.
  void bundle_model() const {
    fs::create_directories(out("data/models"));
    fs::copy_file(out("model.safetensors"), out("data/models/textures.safetensors"));
  }

  GenerationJob job(const std::string& out) const {
    GenerationJob job;
    job.model = directory_ / "model.safetensors";
    job.codec = kTinyCodec;
    job.folder = directory_ / out;
    job.format = AudioFormat::wav_float;
    job.request.duration = 1;
    job.request.seed = 40;
    return job;
  }
  static void run(const GenerationJob& job) {
    const std::atomic<bool> stop{false};
    ASSERT_EQ(run_generation(Context{}, job, stop),
              job.codec.empty() ? GenerationOutcome::done_without_sound : GenerationOutcome::done);
  }
  fs::path out(const std::string& file) const { return directory_ / file; }
  nlohmann::json sidecar(const std::string& file) const {
    return nlohmann::json::parse(read_text(out(file)));
  }

  template <class Failure>
  static void expect_refusal(const GenerationJob& job, const std::vector<std::string>& parts) {
    const std::atomic<bool> stop{false};
    try {
      run_generation(Context{}, job, stop);
      ADD_FAILURE() << "no error";
    } catch (const Failure& error) {
      const std::string message = error.what();
      for (const std::string& part : parts) {
        EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
      }
      EXPECT_EQ((std::is_same_v<Failure, Error>),
                dynamic_cast<const UsageError*>(&error) == nullptr)
          << message;
    }
  }

  fs::path directory_;
  ModelConfig config_;
  std::vector<std::string> class_names_ = {"fire", "rain"};
};

}  // namespace dsf::testing
