// A golden transformer case: forward, backward, three Adam steps, greedy generation.
#include <algorithm>
#include <cmath>

#include "engine/check/quantity.h"
#include "engine/files/safetensors.h"
#include "engine/generation/generator.h"
#include "engine/model/transformer.h"
#include "engine/model/upstream_class.h"
#include "engine/training/checkpoint.h"
#include "kernels/adam/adam.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace dsf {
namespace {

constexpr float kLearningRate = 5e-4F;  // the golden cases'
constexpr int kSteps = 3;

/// The tensors of a case file, with errors that name the file and the tensor.
class Case {
 public:
  explicit Case(const std::filesystem::path& path) : path_(path), file_(read_safetensors(path)) {}

  const std::map<std::string, StoredTensor>& tensors() const { return file_.tensors; }
  bool has(const std::string& name) const { return file_.tensors.contains(name); }

  const StoredTensor& at(const std::string& name, size_t rank) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end()) fail_usage("{}: no tensor '{}'", path_.string(), name);
    if (found->second.shape.size() != rank) {
      fail_usage("{}: '{}' has {} dimensions, expected {}", path_.string(), name,
                 found->second.shape.size(), rank);
    }
    return found->second;
  }
  std::vector<float> floats(const std::string& name, size_t rank) const {
    return to_floats(at(name, rank));
  }
  /// Codes, each below `vocabulary`.
  std::vector<int32_t> codes(const std::string& name, size_t rank, int64_t vocabulary) const {
    std::vector<int32_t> values = to_int32(at(name, rank));
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] < 0 || values[i] >= vocabulary) {
        fail_usage("{}: '{}' holds {} at place {}, expected 0 … {}", path_.string(), name,
                   values[i], i, vocabulary - 1);
      }
    }
    return values;
  }
  int64_t size(const char* key) const { return whole_number(path_.string(), file_, key); }
  /// What the case is of: `variant` says it and the weights must agree; where it is absent they
  /// alone say it. nullopt for a class that this engine does not have.
  std::optional<ModelClass> model_class() const {
    const auto by_weights =
        upstream_class_of([&](const std::string& name) { return has("param/" + name); });
    const auto found = file_.metadata.find("variant");
    if (found == file_.metadata.end()) return by_weights;
    const auto claimed = find_variant(found->second);
    if (claimed && claimed != by_weights) {
      refuse(fmt::format("'variant' in __metadata__ is '{}', but the weights are {}", found->second,
                         by_weights ? variant_name(*by_weights) : "of no known class"));
    }
    return claimed;
  }
  ModelConfig config(ModelClass model_class) const {
    ModelConfig config;
    config.model_class = model_class;
    config.embed_size = size("embed_size");
    config.num_layers = size("num_layers");
    config.num_heads = size("num_heads");
    config.forward_expansion = size("forward_expansion");
    config.lookback = size("Ti");
    config.max_length = size("Tt");
    config.num_codebooks = size("num_codebooks");
    config.vocab_size = size("vocab_size");
    config.num_classes = size("num_classes");
    config.num_parameters = size("cond_size") - config.num_classes;
    check_model_config(config, path_.string());
    return config;
  }
  [[noreturn]] void refuse(const std::string& why) const {
    fail_usage("{}: {}", path_.string(), why);
  }

 private:
  std::filesystem::path path_;
  TensorFile file_;
};

std::span<const float> span_of(ConstTensor tensor) {
  return {tensor.data, static_cast<size_t>(tensor.size())};
}

/// One batch of the case as the model takes it.
struct CaseBatch {
  std::vector<int32_t> tokens, targets;
  std::vector<float> cond;
  Shape tokens_shape, cond_shape;

  CaseBatch(const Case& golden, const ModelConfig& config)
      : tokens(golden.codes("tokens", 3, config.vocab_size)),
        targets(golden.codes("targets", 3, config.vocab_size)),
        cond(golden.floats("cond", 3)) {
    const std::vector<int64_t>& shape = golden.at("tokens", 3).shape;
    const std::vector<int64_t> expected{shape[0], shape[1], config.cond_size()};
    if (shape[2] != config.num_codebooks || golden.at("targets", 3).shape != shape ||
        golden.at("cond", 3).shape != expected) {
      golden.refuse("tokens, targets and cond do not fit each other or the sizes in __metadata__");
    }
    tokens_shape = {shape[0], shape[1], shape[2]};
    cond_shape = {shape[0] * shape[1], config.cond_size()};
  }
};

void load_weights(const Context& ctx, const Case& golden, Transformer& model) {
  for (const Parameter& parameter : model.table().entries()) {
    const std::string name = "param/" + parameter.name;
    const std::vector<float> values =
        golden.floats(name, static_cast<size_t>(parameter.shape.rank()));
    const Tensor weight = model.weight(parameter.name);
    if (static_cast<int64_t>(values.size()) != weight.size()) {
      golden.refuse(fmt::format("'{}' holds {} values, this model takes {}", name, values.size(),
                                weight.shape.str()));
    }
    upload(ctx, weight, values.data());
  }
}

/// Whether checkpoint.pth holds the same model: our reader of upstream's format.
Quantity check_checkpoint(const Context& ctx, const std::filesystem::path& path,
                          const Transformer& model) {
  TrainedModel read = read_model(path);
  Quantity quantity{"checkpoint.pth", 0, 0, {}};
  if (read.info.config.model_class != model.config().model_class) {
    fail_usage("{}: it is of class {}, the case of {}", path.string(),
               variant_name(read.info.config.model_class),
               variant_name(model.config().model_class));
  }
  for (const Parameter& parameter : model.table().entries()) {
    const ConstTensor ours = read.table.view(read.weights_view(), parameter.name);
    const HostValues expected(ctx, model.weight(parameter.name));
    quantity.error =
        std::max(quantity.error, relative_error(span_of(ours), span_of(expected.view())));
  }
  return quantity;
}

/// Forward and backward; `loss` is left in the model's loss buffer, gradients in the model.
class Checker {
 public:
  Checker(const Context& ctx, const Case& golden, const ModelConfig& config)
      : ctx_(ctx),
        golden_(golden),
        batch_(golden, config),
        model_(config, {batch_.tokens_shape[0], batch_.tokens_shape[1], 0, true}, ctx),
        arena_(ctx),
        device_batch_{uploaded("tokens", batch_.tokens).reshaped(batch_.tokens_shape),
                      uploaded("cond", batch_.cond).reshaped(batch_.cond_shape)},
        targets_(uploaded("targets", batch_.targets)),
        losses_(arena_.tensor("losses", targets_.shape)),
        loss_(arena_.tensor("loss", {1})) {
    load_weights(ctx, golden, model_);
  }

  const Transformer& model() const { return model_; }

  float forward_backward(std::vector<float>* logits_copy) {
    const Tensor logits = model_.forward(ctx_, device_batch_);
    if (logits_copy) *logits_copy = values(logits);
    const Tensor by_code = logits.reshaped({targets_.size(), model_.config().vocab_size});
    cross_entropy_forward_backward(ctx_, loss_, losses_, overwrite(by_code), by_code, targets_,
                                   targets_.size());
    model_.backward(ctx_, logits, device_batch_);
    return values(loss_)[0];
  }

  void check_pass(std::vector<Quantity>& quantities) {
    std::vector<float> logits;
    const float loss = forward_backward(&logits);
    quantities.push_back({"logits", relative_error(logits, golden_.floats("logits", 4)), 1e-5, {}});
    const std::vector<float> golden_loss = golden_.floats("loss", 1);
    quantities.push_back({"loss", relative_error({&loss, 1}, golden_loss), 1e-6, {}});
    first_loss_ = loss;
    check_gradients(quantities);
  }

  /// Each, and all as one vector.
  void check_gradients(std::vector<Quantity>& quantities) {
    double largest = 0, squares = 0, error_squares = 0;
    for (const Parameter& parameter : model_.table().entries()) {
      const double size = norm(gradient(parameter));
      largest = std::max(largest, size);
      squares += size * size;
    }
    for (const Parameter& parameter : model_.table().entries()) {
      const std::vector<float> expected = gradient(parameter);
      const double scale = norm(expected) < 1e-6 * largest ? largest : norm(expected);
      const auto ours = values(model_.table().view(model_.gradients(), parameter.name));
      const double error = scaled_error(ours, expected, scale);
      quantities.push_back({"grad/" + parameter.name, error, 1e-4, {}});
      error_squares += error * scale * error * scale;
    }
    quantities.push_back({"grad", std::sqrt(error_squares / squares), 1e-4, {}});
  }

  /// Three Adam steps on the same batch, the first with the gradients of check_pass.
  void check_adam(std::vector<Quantity>& quantities) {
    const Shape flat{model_.table().size()};
    const Tensor first = arena_.tensor("first moments", flat);
    const Tensor second = arena_.tensor("second moments", flat);
    std::vector<float> losses{first_loss_};
    for (int64_t step = 1; step <= kSteps; ++step) {
      if (step > 1) losses.push_back(forward_backward(nullptr));
      adam_step(ctx_, model_.weights(), first, second, model_.gradients(), {}, {},
                AdamSettings{kLearningRate}, step);
    }
    quantities.push_back({"losses", relative_error(losses, golden_.floats("losses", 1)), 1e-5, {}});
    const bool usable = golden_moved();
    for (const Parameter& parameter : model_.table().entries()) {
      const std::string name = "adam3/" + parameter.name;
      if (usable) {
        quantities.push_back({name, adam_error(parameter), 0.02, {}});
      } else {
        quantities.push_back({name, 0, 0,
                              "not compared: in this case all of adam3/ equals param/, though its "
                              "losses change; these are not the weights after three steps"});
      }
    }
  }

 private:
  IndexTensor uploaded(const std::string& name, const std::vector<int32_t>& codes) {
    const IndexTensor tensor = arena_.index(name, {static_cast<int64_t>(codes.size())});
    upload(ctx_, tensor, codes.data());
    return tensor;
  }
  Tensor uploaded(const std::string& name, const std::vector<float>& floats) {
    const Tensor tensor = arena_.tensor(name, {static_cast<int64_t>(floats.size())});
    upload(ctx_, tensor, floats.data());
    return tensor;
  }
  std::vector<float> values(const Tensor& tensor) const {
    std::vector<float> copy(static_cast<size_t>(tensor.size()));
    copy_to_host(ctx_, copy.data(), tensor.data, copy.size() * sizeof(float));
    return copy;
  }
  std::vector<float> gradient(const Parameter& parameter) const {
    return golden_.floats("grad/" + parameter.name, static_cast<size_t>(parameter.shape.rank()));
  }

  /// Whether the case's adam3 differs from its starting weights, as it must where losses change.
  bool golden_moved() const {
    const std::vector<float> losses = golden_.floats("losses", 1);
    if (std::ranges::all_of(losses, [&](float loss) { return loss == losses.front(); }))
      return true;
    return std::ranges::any_of(model_.table().entries(), [&](const Parameter& parameter) {
      const auto rank = static_cast<size_t>(parameter.shape.rank());
      return golden_.floats("adam3/" + parameter.name, rank) !=
             golden_.floats("param/" + parameter.name, rank);
    });
  }

  /// Largest |Δ| in learning rates, where the gradient is more than rounding noise.
  double adam_error(const Parameter& parameter) const {
    const std::vector<float> expected =
        golden_.floats("adam3/" + parameter.name, static_cast<size_t>(parameter.shape.rank()));
    const std::vector<float> gradients = gradient(parameter);
    const std::vector<float> ours = values(model_.weight(parameter.name));
    if (expected.size() != gradients.size() || expected.size() != ours.size()) {
      return std::numeric_limits<double>::infinity();
    }
    float largest = 0;
    for (const float value : gradients) largest = std::max(largest, std::abs(value));
    double worst = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      if (std::abs(gradients[i]) < 1e-4F * largest) continue;
      const double error = std::abs(static_cast<double>(ours[i]) - expected[i]) / kLearningRate;
      worst = error <= worst ? worst : error;  // keeps a NaN
    }
    return worst;
  }

  Context ctx_;
  const Case& golden_;
  CaseBatch batch_;
  Transformer model_;
  Arena arena_;
  Batch device_batch_;
  IndexTensor targets_;
  Tensor losses_, loss_;
  float first_loss_ = 0;
};

/// Greedy generation from the given window.
void check_generation(const Context& ctx, const Case& golden, const Transformer& model,
                      std::vector<Quantity>& quantities) {
  const ModelConfig& config = model.config();
  const std::vector<int32_t> prime = golden.codes("gen/prime", 3, config.vocab_size);
  const std::vector<float> cond = golden.floats("gen/cond", 3);
  const std::vector<int32_t> expected = golden.codes("gen/tokens", 3, config.vocab_size);
  const auto frames = static_cast<int64_t>(expected.size()) / config.num_codebooks;
  if (static_cast<int64_t>(cond.size()) != frames * config.cond_size() ||
      static_cast<int64_t>(prime.size()) != config.lookback * config.num_codebooks) {
    golden.refuse("gen/prime, gen/cond and gen/tokens do not fit each other or Ti");
  }
  GenerationOptions options;
  options.sampling.top_n = 1;
  // A generator takes its weights from the host.
  std::vector<float> weights(static_cast<size_t>(model.table().size()));
  copy_to_host(ctx, weights.data(), model.weights().data, weights.size() * sizeof(float));
  const auto generator =
      make_window_generator(config, model.table(), {weights.data(), model.weights().shape}, options,
                            {prime.data(), {config.lookback, config.num_codebooks}}, ctx);
  std::vector<int32_t> tokens;
  std::vector<float> logits;
  for (int64_t frame = 0; frame < frames; ++frame) {
    const ConstIndexTensor codes = generator->next(cond.data() + frame * config.cond_size());
    tokens.insert(tokens.end(), codes.data, codes.data + codes.size());
    const HostValues row(ctx, generator->logits());
    logits.insert(logits.end(), row.data(), row.data() + row.view().size());
  }
  quantities.push_back(
      {"gen/logits", relative_error(logits, golden.floats("gen/logits", 3)), 1e-5, {}});
  quantities.push_back({"gen/tokens", differing(tokens, expected), 0, {}});
}

/// Every quantity of a class that this engine does not have yet.
std::vector<Quantity> unsupported(const Case& golden) {
  std::vector<Quantity> quantities;
  for (const auto& [name, tensor] : golden.tensors()) {
    const bool input = name.starts_with("param/") || name == "tokens" || name == "targets" ||
                       name == "cond" || name == "gen/prime" || name == "gen/cond";
    if (!input) quantities.push_back(not_supported_yet(name));
  }
  return quantities;
}

}  // namespace

std::vector<Quantity> check_transformer_case(const Context& ctx,
                                             const std::filesystem::path& directory) {
  const Case golden(directory / "case.safetensors");
  const std::optional<ModelClass> model_class = golden.model_class();
  if (!model_class) return unsupported(golden);
  std::vector<Quantity> quantities;
  const ModelConfig config = golden.config(*model_class);
  Checker checker(ctx, golden, config);
  quantities.push_back(check_checkpoint(ctx, directory / "checkpoint.pth", checker.model()));
  checker.check_pass(quantities);
  Transformer untrained(config, {1, 1, 0, false}, ctx);
  load_weights(ctx, golden, untrained);
  checker.check_adam(quantities);
  if (golden.has("gen/tokens")) check_generation(ctx, golden, untrained, quantities);
  return quantities;
}

}  // namespace dsf
