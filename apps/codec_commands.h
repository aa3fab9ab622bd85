#pragma once
// dsf_codec's subcommands that have files of their own, and what all of them share.
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "apps/app.h"
#include "engine/codec/codec.h"

namespace dsf {

/// What all subcommands that need a codec take.
struct CodecModel {
  std::filesystem::path weights;  // as find_codec takes it; empty: the usual ones
  std::string device = "cpu", convolutions = "own";  // as make_context takes them

  /// Loads it and makes `weights` the file it is in. Where none is named and none is there, a
  /// UsageError says what to do.
  Codec load(CodecUse use);
};

void add_model_options(CLI::App& command, CodecModel& model);

/// LUFS, or nothing for "off".
std::optional<double> parse_loudness(const std::string& text);

/// Prints an error about one file; the others go on.
void complain(const std::string& text);

/// The exit code of a run in which some files may have failed.
int codec_exit_code(int64_t failed, bool stopped);

struct CodecCommand {
  CLI::App* parsed = nullptr;
  std::function<int(const std::atomic<bool>& stop)> run;  // gives the exit code
};

CodecCommand add_evaluate(CLI::App& app, const CommonOptions& common);
CodecCommand add_dataset(CLI::App& app, const CommonOptions& common);

}  // namespace dsf
