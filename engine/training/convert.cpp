#include "engine/training/convert.h"

#include <algorithm>
#include <bit>

#include "engine/codec/codec_location.h"
#include "engine/files/counted.h"
#include "engine/files/quote.h"
#include "engine/files/torch_file.h"
#include "engine/training/checkpoint.h"

namespace dsf {
namespace {

/// `what`: "class" or "parameter".
void rename(std::vector<std::string>& names, std::vector<std::string> given,
            const std::string& what) {
  if (given.empty()) return;
  if (given.size() != names.size()) {
    fail_usage("{} given, the model has {}", counted(given.size(), what + " name"), names.size());
  }
  std::vector<std::string> sorted = given;
  std::ranges::sort(sorted);
  if (sorted.front().empty()) fail_usage("a {} name is empty", what);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    fail_usage("the {} name '{}' is given twice", what, *twice);
  }
  names = std::move(given);
}

/// What upstream's format has no place for.
std::vector<std::string> left_out_of_upstream(const std::filesystem::path& to,
                                              const CheckpointInfo& info) {
  std::vector<std::string> lost{
      fmt::format("a .pth does not hold class names ({})", fmt::join(info.class_names, ", "))};
  if (!info.parameter_names.empty()) {
    lost.push_back(fmt::format("a .pth does not hold parameter names ({})",
                               fmt::join(info.parameter_names, ", ")));
  }
  if (!info.codec.empty()) {
    lost.push_back(
        fmt::format("a .pth does not say which codec its codes are of ({})", info.codec));
  }
  if (info.sampling != SampleSettings{}) {
    lost.push_back(fmt::format(
        "a .pth does not say how codes are drawn (--top-n {} --temperature {} --min-p {})",
        info.sampling.top_n, info.sampling.temperature, info.sampling.min_p));
  }
  if (info.seed != 0) lost.push_back(fmt::format("a .pth does not hold the seed ({})", info.seed));
  if (info.epoch != checkpoint_epoch(to).value_or(0)) {
    lost.push_back(fmt::format("a .pth holds the epoch ({0}) in its name only: _chkpt_{0:04}.pth",
                               info.epoch));
  }
  return lost;
}

/// Names that had to be made up.
std::vector<std::string> not_in_upstream(const CheckpointInfo& info,
                                         const ConvertOptions& options) {
  std::vector<std::string> unknown;
  if (options.class_names.empty() && !info.class_names.empty()) {
    unknown.push_back(
        fmt::format("a .pth does not name its classes; they are now {} "
                    "(--class-names gives others)",
                    fmt::join(info.class_names, ", ")));
  }
  if (options.parameter_names.empty() && !info.parameter_names.empty()) {
    unknown.push_back(
        fmt::format("a .pth does not name its parameters; they are now {} "
                    "(--param-names gives others)",
                    fmt::join(info.parameter_names, ", ")));
  }
  return unknown;
}

void check_dtype(const std::filesystem::path& to, const ConvertOptions& options) {
  if (options.dtype.empty() || options.dtype == "fp32") return;
  if (options.dtype != "bf16") {
    fail_usage("--dtype {}: unknown type of weights, expected fp32 or bf16", options.dtype);
  }
  if (is_torch_name(to)) fail_usage("--dtype bf16: upstream's .pth is of fp32");
  if (!options.weights_only) {
    fail_usage("--dtype bf16: the optimizer's state is of fp32; say --weights-only, too");
  }
}

/// Whether a .safetensors in bf16 holds all that the checkpoint does.
bool is_bf16(const Checkpoint& checkpoint) {
  return !checkpoint.has_moments() &&
         std::ranges::all_of(checkpoint.model.weights, [](float weight) {
           return (std::bit_cast<uint32_t>(weight) & 0xFFFFU) == 0;
         });
}

/// What is said of a model is not asked for in vain.
void check_kept(const std::filesystem::path& to, const ConvertOptions& options) {
  if (!is_torch_name(to)) return;
  const SamplingChoice& sampling = options.sampling;
  for (const auto& [option, given] :
       {std::pair("--class-names", !options.class_names.empty()),
        std::pair("--param-names", !options.parameter_names.empty()),
        std::pair("--codec", !options.codec.empty()), std::pair("--top-n", !!sampling.top_n),
        std::pair("--temperature", !!sampling.temperature),
        std::pair("--min-p", !!sampling.min_p)}) {
    if (given) fail_usage("{}: {} has no place for it; a .safetensors does", option, to.string());
  }
}

}  // namespace

std::vector<std::string> convert_checkpoint(const std::filesystem::path& from,
                                            const std::filesystem::path& to,
                                            const ConvertOptions& options) {
  if (!is_torch_name(to) && to.extension() != ".safetensors") {
    fail_usage("{}: the name must end with .safetensors or .pth", to.string());
  }
  check_dtype(to, options);
  check_kept(to, options);
  std::error_code absent;
  if (std::filesystem::equivalent(from, to, absent)) {
    fail_usage("{} is the checkpoint itself: give it another name", to.string());
  }
  Checkpoint checkpoint =
      read_checkpoint(from, options.weights_only ? WithMoments::no : WithMoments::yes);
  CheckpointInfo& info = checkpoint.model.info;
  rename(info.class_names, options.class_names, "class");
  rename(info.parameter_names, options.parameter_names, "parameter");
  if (const auto both = std::ranges::find_first_of(info.class_names, info.parameter_names);
      both != info.class_names.end()) {
    fail_usage("{} would be a class and a parameter", quote(*both));
  }
  if (!options.codec.empty()) {
    info.codec = lasting_codec_name(options.codec);
    if (info.codec.empty()) fail_usage("--codec {}: no such file", options.codec);
  }
  info.sampling = options.sampling.over(info.sampling);
  check_sampling(info.sampling);
  if (options.dtype == "bf16" ||
      (options.dtype.empty() && !is_torch_name(to) && is_bf16(checkpoint))) {
    write_bf16_weights(to, checkpoint.model);
  } else {
    write_checkpoint(to, checkpoint);
  }
  if (is_torch_name(to)) {
    return is_torch_name(from) ? std::vector<std::string>{} : left_out_of_upstream(to, info);
  }
  return is_torch_name(from) ? not_in_upstream(info, options) : std::vector<std::string>{};
}

}  // namespace dsf
