// What it costs a model that its weights are kept in fewer bits: the validation loss with them,
// which is that of frames drawn with dsf_infer --weights. control_following --weights tells what is
// heard.
//   weight_formats [--config CONFIG] [--set KEY=VALUE …] [--model MODEL]
#include <fmt/format.h>

#include "apps/app.h"
#include "engine/data/training_data.h"
#include "engine/files/bundled_data.h"
#include "engine/training/checkpoint.h"
#include "engine/training/run_folder.h"
#include "engine/training/trainer.h"
#include "kernels/stored_linear/stored_linear.h"

namespace dsf::bench {
namespace {

namespace fs = std::filesystem;

/// Puts what a matrix says in the format in its place.
void round_matrix(Tensor matrix, WeightFormat format) {
  const std::vector<float> values = StoredWeights(format, matrix).floats();
  std::ranges::copy(values, matrix.data);
}

/// Those that a CachedDecoder keeps so. Returns their number.
int64_t round_matrices(TrainedModel& model, WeightFormat format) {
  int64_t numbers = 0;
  const auto round = [&](const std::string& name) {
    const Tensor matrix = model.table.view(model.weights_view(), name);
    round_matrix(matrix, format);
    numbers += matrix.size();
  };
  for (int64_t i = 0; i < model.info.config.num_layers; ++i) {
    for (const char* name : {"attention.in_proj_weight", "attention.out_proj.weight",
                             "feed_forward.0.weight", "feed_forward.2.weight"}) {
      round(fmt::format("layers.{}.{}", i, name));
    }
  }
  round("final_layer.weight");
  return numbers;
}

int run(const fs::path& config_file, const std::vector<std::string>& overrides,
        const fs::path& model_file) {
  const TrainingData data =
      load_training_data(read_training_config(config_file, overrides, [](const std::string&) {}));
  const fs::path file = model_file.empty() ? bundled_model() : choose_checkpoint(model_file, "");
  const TrainedModel model = read_model(file);
  if (model.info.config.model_class != ModelClass::streaming) {
    fail_usage("{}: a {}; weights are kept in other formats for StreamingDACTransformer only",
               file.string(), model_class_name(model.info.config.model_class));
  }
  Learner learner(data.config.model, learner_options(data.config), 0);
  DSF_CHECK(learner.model().weights().size() == model.table.size(), "{} and {} do not fit",
            file.string(), config_file.string());
  Trainer trainer(learner, data.training, data.validation,
                  learning_rate_of(data.config, data.training.files));
  fmt::print(
      "{}, {} validation files\n\n| weights | MB | validation loss | more, % "
      "|\n|---|---|---|---|\n",
      file.filename().string(), data.validation.files);
  float exact = 0;
  for (const WeightFormat format : {WeightFormat::fp32, WeightFormat::bf16, WeightFormat::int8}) {
    TrainedModel rounded = model;
    const int64_t numbers = round_matrices(rounded, format);
    std::ranges::copy(rounded.weights, learner.model().weights().data);
    const float loss = trainer.validate(0).value();
    if (format == WeightFormat::fp32) exact = loss;
    fmt::print("| {} | {:.2f} | {:.5f} | {:+.3f} |\n", name_of(format),
               1e-6 * static_cast<double>(bytes_of(format) * numbers), loss,
               100 * (loss / exact - 1));
  }
  return 0;
}

}  // namespace
}  // namespace dsf::bench

int main(int argc, char** argv) {
  CLI::App app("A model's validation loss with weights in fewer bits.", "weight_formats");
  dsf::CommonOptions common;
  std::filesystem::path config = "configs/bundled.yaml", model;
  std::vector<std::string> overrides;
  app.add_option("--config", config, "Whose validation data are taken")->capture_default_str();
  app.add_option("--set", overrides, "Override a key of the configuration")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--model", model, "A run's folder or a checkpoint (default: the bundled one)");
  dsf::add_common_options(app, common,
                          "  weight_formats --set data_dir=data/textures/dac-train --set "
                          "validator_data_dir=data/textures/dac-val --set Tt=430\n"
                          "  weight_formats --config my.yaml --model runs/mine",
                          "0 done, 1 failed, 2 misused");
  return dsf::run_app(app, argc, argv, common,
                      [&] { return dsf::bench::run(config, overrides, model); });
}
