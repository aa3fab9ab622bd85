// Whether a model's sounds are of the class that was asked for and follow its parameter, beside
// fresh takes of dsf_textures and those takes after a way through the codec, which is the best that
// any model can do.
//   control_following [--model MODEL] [--codec CODEC] [--seconds S] [--seed N] [--plot FILE]
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/app.h"
#include "bench/texture_sounds.h"
#include "engine/audio/texture_features.h"
#include "engine/audio/texture_statistics.h"
#include "engine/files/atomic_file.h"
#include "engine/picture/plot.h"

namespace dsf::bench {
namespace {

constexpr std::array kParameters = {0.0, 0.25, 0.5, 0.75, 1.0};
constexpr uint64_t kReferenceTakes = 6;  // of each class and parameter, by which the others go
constexpr double kWantedCorrelation = 0.9, kWantedAccuracy = 0.95;
constexpr double kLeastFeature = 0.1;  // of those whose logarithm is taken: 0 stands for none

enum Origin : size_t { from_reference, from_fresh, from_codec, from_model };
constexpr std::array<const char*, 4> kOrigins = {"reference", "fresh takes", "through the codec",
                                                 "model"};

struct Feature {
  TextureKind kind;
  const char* name;
  double (*measure)(std::span<const float>, int);
  bool logarithmic;  // the parameter moves it by octaves
};

constexpr std::array<Feature, 5> kFeatures = {{
    {TextureKind::pistons, "impacts per second", event_rate, true},
    {TextureKind::wind, "spectral centroid, Hz", spectral_centroid, true},
    {TextureKind::wind, "gust depth, dB", gust_depth, false},
    {TextureKind::applause, "claps per second", event_rate, true},
    {TextureKind::bugs, "rate of movement, Hz", movement_rate, true},
}};

struct Measured {
  TextureStatistics statistics;
  std::array<double, kFeatures.size()> features{};  // of its class; others 0
};

/// All sounds of one class and one value of its parameter.
struct Cell {
  TextureKind kind;
  double parameter;
  std::array<std::vector<Measured>, kOrigins.size()> sounds;
};

struct Request {
  TextureSource source;
  double seconds = 20;
  uint64_t seed = 1000;
  uint64_t takes = 3;  // of each class, parameter and origin
  std::filesystem::path plot = "control_following.png";
};

Measured measure(const Audio& sound, TextureKind kind) {
  Measured result{measure_statistics(sound.samples, sound.sample_rate), {}};
  for (size_t i = 0; i < kFeatures.size(); ++i) {
    if (kFeatures[i].kind != kind) continue;
    const double value = kFeatures[i].measure(sound.samples, sound.sample_rate);
    result.features[i] = kFeatures[i].logarithmic ? std::max(value, kLeastFeature) : value;
  }
  return result;
}

std::vector<Cell> measure_all(const Request& request) {
  const TextureModel model(request.source);
  fmt::print("{}; {} s, {} takes of each class and parameter, seeds from {}\n\n",
             model.description(), request.seconds, request.takes, request.seed);
  std::vector<Cell> cells;
  for (const TextureClass& one : texture_classes()) {
    for (const double parameter : kParameters) cells.push_back({one.kind, parameter, {}});
  }
  for_each_job("classes and parameters", cells.size(), [&](size_t index) {
    Cell& cell = cells[index];
    const auto add = [&](Origin origin, const Audio& sound) {
      cell.sounds[origin].push_back(measure(sound, cell.kind));
    };
    // Every cell has seeds of its own, or the same hands would clap in all of them.
    const uint64_t first = request.seed + 100 * index;
    const auto fresh = [&](uint64_t take) {
      return make_texture({cell.kind, cell.parameter, request.seconds, first + take, 0});
    };
    for (uint64_t take = 0; take < kReferenceTakes; ++take) add(from_reference, fresh(take));
    std::vector<uint64_t> seeds;
    for (uint64_t take = 0; take < request.takes; ++take) {
      const Audio sound = fresh(kReferenceTakes + take);
      add(from_fresh, sound);
      add(from_codec, model.through_codec(sound));
      seeds.push_back(first + take);
    }
    for (const Audio& sound : model.generate(cell.kind, cell.parameter, request.seconds, seeds)) {
      add(from_model, sound);
    }
  });
  return cells;
}

// ---- What follows from the measures ----

double scaled(const Feature& feature, double value) {
  return feature.logarithmic ? std::log2(value) : value;
}

/// The mean over a cell's sounds; of logarithms, where the feature is logarithmic.
double mean_feature(const Cell& cell, Origin origin, size_t feature) {
  double sum = 0;
  for (const Measured& sound : cell.sounds[origin]) {
    sum += scaled(kFeatures[feature], sound.features[feature]);
  }
  const double mean = sum / static_cast<double>(cell.sounds[origin].size());
  return kFeatures[feature].logarithmic ? std::exp2(mean) : mean;
}

/// Of each sound with the reference's mean at its parameter.
double feature_correlation(const std::vector<Cell>& cells, Origin origin, size_t feature) {
  std::vector<double> expected, found;
  for (const Cell& cell : cells) {
    if (cell.kind != kFeatures[feature].kind) continue;
    for (const Measured& sound : cell.sounds[origin]) {
      expected.push_back(scaled(kFeatures[feature], mean_feature(cell, from_reference, feature)));
      found.push_back(scaled(kFeatures[feature], sound.features[feature]));
    }
  }
  return correlation(expected, found);
}

struct Confusion {
  std::array<std::array<int, 4>, 4> sounds{};  // [class, nearest class]
  double parameter_error = 0;                  // mean, of the nearest texture's, where of the class
  int right = 0, all = 0;

  double accuracy() const { return static_cast<double>(right) / all; }
};

/// A texture is a class at a value of its parameter.
Confusion classify(const std::vector<Cell>& cells, Origin origin) {
  std::vector<std::vector<TextureStatistics>> textures;
  for (const Cell& cell : cells) {
    textures.emplace_back();
    for (const Measured& take : cell.sounds[from_reference]) {
      textures.back().push_back(take.statistics);
    }
  }
  const NearestTexture nearest(textures);
  Confusion result;
  for (const Cell& cell : cells) {
    for (const Measured& sound : cell.sounds[origin]) {
      const Cell& found = cells[nearest.find(sound.statistics)];
      ++result.sounds[static_cast<size_t>(cell.kind)][static_cast<size_t>(found.kind)];
      ++result.all;
      if (found.kind != cell.kind) continue;
      ++result.right;
      result.parameter_error += std::abs(found.parameter - cell.parameter);
    }
  }
  result.parameter_error /= std::max(1, result.right);
  return result;
}

// ---- Tables ----

void print_features(const std::vector<Cell>& cells) {
  fmt::print(
      "| class | feature | sounds | 0 | 0.25 | 0.5 | 0.75 | 1 | r | |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  for (size_t feature = 0; feature < kFeatures.size(); ++feature) {
    for (const Origin origin : {from_reference, from_fresh, from_codec, from_model}) {
      const bool first = origin == from_reference;
      fmt::print("| {} | {} | {} |", first ? texture_class(kFeatures[feature].kind).name : "",
                 first ? kFeatures[feature].name : "", kOrigins[origin]);
      for (const Cell& cell : cells) {
        if (cell.kind != kFeatures[feature].kind) continue;
        fmt::print(" {:.4g} |", mean_feature(cell, origin, feature));
      }
      if (first) {
        fmt::print(" | |\n");
        continue;
      }
      const double r = feature_correlation(cells, origin, feature);
      fmt::print(" {:.3f} | {} |\n", r, r >= kWantedCorrelation ? "" : "misses 0.9");
    }
  }
}

void print_classes(const std::vector<Cell>& cells) {
  fmt::print(
      "\n| sounds | of the class that was asked for | parameter of the nearest texture is "
      "off by |\n|---|---|---|\n");
  for (const Origin origin : {from_fresh, from_codec, from_model}) {
    const Confusion found = classify(cells, origin);
    fmt::print("| {} | {} of {}, {:.1f} %{} | {:.3f} |\n", kOrigins[origin], found.right, found.all,
               100 * found.accuracy(), found.accuracy() >= kWantedAccuracy ? "" : ": misses 95 %",
               found.parameter_error);
  }
}

void print_confusion(const std::vector<Cell>& cells, Origin origin) {
  fmt::print("\n{}, by class (rows) and nearest texture's class (columns):\n\n|  |",
             kOrigins[origin]);
  for (const TextureClass& one : texture_classes()) fmt::print(" {} |", one.name);
  fmt::print("\n|---|---|---|---|---|\n");
  const Confusion found = classify(cells, origin);
  for (const TextureClass& one : texture_classes()) {
    fmt::print("| {} |", one.name);
    for (const int sounds : found.sounds[static_cast<size_t>(one.kind)]) {
      fmt::print(" {} |", sounds);
    }
    fmt::print("\n");
  }
}

// ---- Picture ----

constexpr int kWidth = 1320, kHeight = 800, kColumns = 3;
constexpr double kLeft = 80, kTop = 70, kColumnWidth = 430, kRowHeight = 370;
constexpr double kPanelWidth = 320, kPanelHeight = 270;

Axis feature_axis(const std::vector<Cell>& cells, size_t feature) {
  double low = INFINITY, high = 0;
  for (const Cell& cell : cells) {
    if (cell.kind != kFeatures[feature].kind) continue;
    for (const auto& sounds : cell.sounds) {
      for (const Measured& sound : sounds) {
        low = std::min(low, sound.features[feature]);
        high = std::max(high, sound.features[feature]);
      }
    }
  }
  Axis axis;
  axis.title = kFeatures[feature].name;
  axis.logarithmic = kFeatures[feature].logarithmic;
  axis.low = axis.logarithmic ? low / 1.2 : 0;
  axis.high = 1.2 * std::max(high, 1e-3);
  axis.ticks =
      axis.logarithmic ? frequency_ticks(axis.low, axis.high) : even_ticks(axis.low, axis.high, 6);
  return axis;
}

void draw_feature(Picture& picture, const std::vector<Cell>& cells, size_t feature) {
  const size_t column = feature % kColumns, row = feature / kColumns;
  const Rectangle area{kLeft + static_cast<double>(column) * kColumnWidth,
                       kTop + static_cast<double>(row) * kRowHeight, kPanelWidth, kPanelHeight};
  const Panel panel{
      area, {-0.05, 1.05, "Parameter", even_ticks(0, 1, 6)}, feature_axis(cells, feature)};
  picture.grid(panel);
  for (size_t origin = kOrigins.size(); origin-- > 0;) {
    std::vector<std::pair<double, double>> means;
    for (const Cell& cell : cells) {
      if (cell.kind != kFeatures[feature].kind) continue;
      means.emplace_back(cell.parameter, mean_feature(cell, static_cast<Origin>(origin), feature));
      for (const Measured& sound : cell.sounds[origin]) {
        // Side by side, so that each origin's can be seen.
        const double x = cell.parameter + 0.012 * (static_cast<double>(origin) - 1.5);
        picture.dot(panel, x, sound.features[feature], 2.5, line_color(origin));
      }
    }
    picture.line(panel, means, {line_color(origin), origin == from_reference});
  }
  picture.frame(panel, true);
  picture.text(area.x, area.y - 10,
               fmt::format("{}: r {:.3f}", texture_class(kFeatures[feature].kind).name,
                           feature_correlation(cells, from_model, feature)),
               Picture::Align::left, {14, true});
}

void draw(const std::vector<Cell>& cells, const std::filesystem::path& file) {
  Picture picture(kWidth, kHeight);
  picture.text(kLeft, 32, "How the model follows the parameters", Picture::Align::left, {18, true});
  for (size_t feature = 0; feature < kFeatures.size(); ++feature) {
    draw_feature(picture, cells, feature);
  }
  const double x = kLeft + 2 * kColumnWidth, y = kTop + kRowHeight + 20;
  for (size_t origin = 0; origin < kOrigins.size(); ++origin) {
    const double line = y + 22 * static_cast<double>(origin);
    picture.line_sample(x, line, 26, {line_color(origin), origin == from_reference});
    picture.text(x + 36, line + 4.5, kOrigins[origin], Picture::Align::left, {});
  }
  write_file_atomically(file, picture.png());
}

int run(const Request& request) {
  return timed(request.plot, "the features", [&] {
    const std::vector<Cell> cells = measure_all(request);
    print_features(cells);
    print_classes(cells);
    print_confusion(cells, from_codec);
    print_confusion(cells, from_model);
    draw(cells, request.plot);
  });
}

}  // namespace
}  // namespace dsf::bench

int main(int argc, char** argv) {
  CLI::App app(
      "Whether a model's sounds are of the class that was asked for and follow its "
      "parameter.",
      "control_following");
  dsf::CommonOptions common;
  dsf::bench::Request request;
  dsf::bench::add_source_options(app, request.source);
  app.add_option("--seconds", request.seconds, "Length of each sound")
      ->check(dsf::real_from_to(3, 600))
      ->capture_default_str();
  app.add_option("--seed", request.seed, "The first of all takes' seeds")->capture_default_str();
  app.add_option("--takes", request.takes, "Of each class, parameter and origin")
      ->check(CLI::Range(1, 50))
      ->capture_default_str();
  app.add_option("--plot", request.plot, "Picture to write")->capture_default_str();
  dsf::add_common_options(app, common, "  control_following\n  control_following --model runs/mine",
                          "0 done, 1 failed, 2 misused");
  return dsf::run_app(app, argc, argv, common, [&] { return dsf::bench::run(request); });
}
