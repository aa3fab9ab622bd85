// Ten minutes of each class from a model, minute by minute, beside takes of dsf_textures of a
// minute: does it leave their spread, drift, or freeze? And do these takes leave it once they went
// through the codec, which is the best that any model can do?
//   texture_endurance [--model MODEL] [--codec CODEC] [--class NAME] [--seconds S] [--seed N]
//                     [--causes N] [--plot FILE]
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ranges>

#include "apps/app.h"
#include "bench/texture_sounds.h"
#include "engine/audio/texture_monotony.h"
#include "engine/audio/texture_statistics.h"
#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "engine/picture/plot.h"

namespace dsf::bench {
namespace {

constexpr double kPart = 60;  // seconds

struct Request {
  TextureSource source;
  double seconds = 600;
  double parameter = 0.5;
  uint64_t seed = 2000;
  uint64_t takes = 16, coded_takes = 8;
  std::string only;   // this class; empty: all
  size_t causes = 0;  // statistics to name for each
  std::filesystem::path plot = "texture_endurance.png";

  size_t parts() const { return static_cast<size_t>(seconds / kPart); }
};

/// A minute of sound.
struct Part {
  TextureStatistics statistics;
  double movement = 0, repetition = 0;
};

Part measure(std::span<const float> sound, int sample_rate) {
  const SubbandEnvelopes envelopes = measure_envelopes(sound, sample_rate);
  return {measure_statistics(envelopes), least_movement(envelopes),
          strongest_repetition(envelopes)};
}

struct Material {
  std::string name;
  std::vector<Part> fresh, coded, model;
};

std::vector<TextureStatistics> statistics_of(const std::vector<Part>& parts) {
  std::vector<TextureStatistics> result;
  for (const Part& part : parts) result.push_back(part.statistics);
  return result;
}

std::vector<TextureClass> classes_of(const Request& request) {
  std::vector<TextureClass> classes;
  for (const TextureClass& one : texture_classes()) {
    if (request.only.empty() || request.only == one.name) classes.push_back(one);
  }
  if (classes.empty()) {
    fail_usage("--class {}: unknown, expected {}", quote(request.only),
               fmt::join(texture_classes() | std::views::transform(&TextureClass::name), ", "));
  }
  return classes;
}

/// All classes, in the order of classes_of().
std::vector<Material> measure_all(const Request& request) {
  const std::vector<TextureClass> classes = classes_of(request);
  const TextureModel model(request.source);
  fmt::print(
      "{}; parameter {}, seeds from {}; {} fresh takes of a minute, {} of them through the "
      "codec\n\n",
      model.description(), request.parameter, request.seed, request.takes, request.coded_takes);
  std::vector<Material> result(classes.size());
  for (size_t i = 0; i < classes.size(); ++i) {
    result[i].name = classes[i].name;
    result[i].fresh.resize(request.takes);
    result[i].coded.resize(request.coded_takes);
  }
  // The long ones first, so that no thread is left with one at the end.
  for_each_job("sounds", classes.size() * (1 + request.takes), [&](size_t job) {
    const TextureKind kind = classes[job % classes.size()].kind;
    Material& material = result[job % classes.size()];
    if (job < classes.size()) {
      const double seconds = kPart * static_cast<double>(request.parts());
      const Audio sound = model.generate(kind, request.parameter, seconds, {request.seed}).front();
      const size_t length = sound.samples.size() / request.parts();
      for (size_t part = 0; part < request.parts(); ++part) {
        const auto samples = std::span(sound.samples).subspan(part * length, length);
        material.model.push_back(measure(samples, sound.sample_rate));
      }
      return;
    }
    const size_t take = job / classes.size() - 1;
    const Audio sound = make_texture({kind, request.parameter, kPart, request.seed + take, 0});
    material.fresh[take] = measure(sound.samples, sound.sample_rate);
    if (take >= request.coded_takes) return;
    const Audio coded = model.through_codec(sound);
    material.coded[take] = measure(coded.samples, coded.sample_rate);
  });
  return result;
}

// ---- What follows from the measures ----

std::vector<double> each(const std::vector<Part>& parts, double Part::*measure) {
  std::vector<double> values;
  for (const Part& part : parts) values.push_back(part.*measure);
  return values;
}

/// How far two correlations are from 1: what is usual of repetition.
std::vector<double> unlikeness(const std::vector<Part>& parts) {
  std::vector<double> values;
  for (const Part& part : parts) values.push_back(1 - part.repetition);
  return values;
}

/// What a yardstick (fresh takes, or those through the codec) says of minutes.
struct Judgement {
  explicit Judgement(const std::vector<Part>& yardstick, const std::vector<Part>& minutes)
      : spread(statistics_of(yardstick)),
        limit(spread.distance_limit()),
        drift_limit(spread.drift_limit(minutes.size())),
        movement_limit(usual_range(each(yardstick, &Part::movement)).low),
        repetition_limit(1 - usual_range(unlikeness(yardstick)).low) {
    for (const Part& minute : minutes) distances.push_back(spread.distance(minute.statistics));
    if (minutes.size() >= 3)
      drift = share_of_limit(spread.drift(statistics_of(minutes)), drift_limit);
    movement = std::ranges::min(each(minutes, &Part::movement));
    repetition = std::ranges::max(each(minutes, &Part::repetition));
  }

  /// Of each minute: its distance as a multiple of the limit.
  std::vector<double> shares() const {
    std::vector<double> result;
    for (const TextureDistance& distance : distances) {
      result.push_back(share_of_limit(distance, limit));
    }
    return result;
  }
  size_t outside() const {
    return static_cast<size_t>(
        std::ranges::count_if(shares(), [](double share) { return share > 1; }));
  }
  bool drifts() const { return drift > 1; }
  /// A repeated frame has less than a tenth of the limit.
  bool freezes() const { return movement < movement_limit / 2; }
  bool slackens() const { return movement < movement_limit; }
  bool repeats() const { return repetition > repetition_limit; }
  /// Over the minutes, times the groups' limits.
  TextureDistance mean() const {
    TextureDistance mean;
    for (const TextureDistance& distance : distances) {
      for (size_t group = 0; group < mean.groups.size(); ++group) {
        mean.groups[group] +=
            distance.groups[group] / limit.groups[group] / static_cast<double>(distances.size());
      }
    }
    return mean;
  }

  TextureSpread spread;
  TextureDistance limit, drift_limit;
  double movement_limit, repetition_limit;
  std::vector<TextureDistance> distances;  // of each minute
  double drift = 0;                        // times its limit
  double movement = 0, repetition = 0;
};

// ---- Tables ----

void print_distances(const std::vector<Material>& materials, const std::string& yardstick,
                     std::vector<Part> Material::*takes) {
  fmt::print(
      "Distance of each minute from {}, as a multiple of the limit (the largest of all and of the "
      "groups, whose means follow):\n\n| class | sounds | minutes | outside |",
      yardstick);
  for (const std::string_view group : kStatisticGroups) fmt::print(" {} |", group);
  fmt::print("\n|---|---|---|---|---|---|---|---|---|\n");
  const auto line = [&](std::string_view kind, const char* sounds, const Judgement& judgement) {
    std::vector<std::string> minutes;
    for (const double share : judgement.shares()) minutes.push_back(fmt::format("{:.2f}", share));
    fmt::print("| {} | {} | {} | {} of {} |", kind, sounds, fmt::join(minutes, " "),
               judgement.outside(), minutes.size());
    for (const double group : judgement.mean().groups) fmt::print(" {:.2f} |", group);
    fmt::print("\n");
  };
  for (size_t i = 0; i < materials.size(); ++i) {
    const Material& material = materials[i];
    line(material.name, "model", Judgement(material.*takes, material.model));
    if (&(material.*takes) == &material.coded) continue;
    line("", "fresh, through the codec", Judgement(material.*takes, material.coded));
  }
  fmt::print("\n");
}

std::string verdict(const Judgement& judgement) {
  std::vector<std::string> words;
  if (judgement.outside() > 0) words.emplace_back("leaves the spread");
  if (judgement.drifts()) words.emplace_back("drifts");
  if (judgement.freezes()) {
    words.emplace_back("freezes");
  } else if (judgement.slackens()) {
    words.emplace_back("has seconds in which less happens");
  }
  if (judgement.repeats()) words.emplace_back("repeats itself");
  return words.empty() ? "keeps" : fmt::format("{}", fmt::join(words, ", "));
}

void print_summary(const std::vector<Material>& materials) {
  fmt::print(
      "| class | drift | least movement | limit | strongest repetition | limit | "
      "beside fresh takes | beside those through the codec |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < materials.size(); ++i) {
    const Judgement fresh(materials[i].fresh, materials[i].model);
    const Judgement coded(materials[i].coded, materials[i].model);
    fmt::print("| {} | {:.2f} | {:.3f} | {:.3f} | {:.2f} | {:.2f} | {} | {} |\n", materials[i].name,
               fresh.drift, fresh.movement, fresh.movement_limit, fresh.repetition,
               fresh.repetition_limit, verdict(fresh), verdict(coded));
  }
}

/// What the minutes' distances come from, of fresh takes' deviations: in the mean of all minutes,
/// and each minute's root mean square, which is about 1 of takes.
void print_causes(const std::vector<Material>& materials, size_t count) {
  struct Cause {
    std::string name;
    double mean = 0, square = 0, coded_mean = 0;
  };
  fmt::print(
      "\n| class | statistic | model, mean | root mean square | fresh, through the codec, mean "
      "|\n|---|---|---|---|---|\n");
  for (const Material& material : materials) {
    const TextureSpread spread(statistics_of(material.fresh));
    std::vector<Cause> causes;
    for (size_t group = 0; group < kStatisticGroups.size(); ++group) {
      for (size_t i = 0; i < material.fresh[0].statistics.groups[group].size(); ++i) {
        Cause cause{statistic_name(group, i)};
        for (const Part& part : material.model) {
          const double units = spread.difference(part.statistics).groups[group][i];
          cause.mean += units / static_cast<double>(material.model.size());
          cause.square += units * units / static_cast<double>(material.model.size());
        }
        for (const Part& part : material.coded) {
          cause.coded_mean += spread.difference(part.statistics).groups[group][i] /
                              static_cast<double>(material.coded.size());
        }
        causes.push_back(cause);
      }
    }
    std::ranges::sort(causes, std::greater{}, &Cause::square);
    causes.resize(std::min(causes.size(), count));
    for (const Cause& cause : causes) {
      fmt::print("| {} | {} | {:.1f} | {:.1f} | {:.1f} |\n", material.name, cause.name, cause.mean,
                 std::sqrt(cause.square), cause.coded_mean);
    }
  }
}

// ---- Picture ----

constexpr int kWidth = 1400, kHeight = 720;
constexpr double kLeft = 70, kTop = 80, kColumnWidth = 335, kRowHeight = 310;
constexpr double kPanelWidth = 265, kPanelHeight = 230;

struct Curve {
  const char* name;
  LineStyle style;
  std::vector<double> minutes;
};

/// Curves over minutes, from 0 up.
void draw_curves(Picture& picture, const Rectangle& area, const std::string& title,
                 const std::vector<Curve>& curves) {
  double high = 1e-3, last = 1;
  for (const Curve& curve : curves) {
    for (const double value : curve.minutes) high = std::max(high, 1.1 * value);
    last = std::max(last, static_cast<double>(curve.minutes.size()));
  }
  const Panel panel{
      area, {0, last, "Minute", even_ticks(0, last, 6)}, {0, high, title, even_ticks(0, high, 6)}};
  picture.grid(panel);
  for (const Curve& curve : curves) {
    std::vector<std::pair<double, double>> points;
    for (size_t i = 0; i < curve.minutes.size(); ++i) {
      points.emplace_back(static_cast<double>(i) + 0.5, curve.minutes[i]);
    }
    if (points.size() == 1) points = {{0, points[0].second}, {last, points[0].second}};
    picture.line(panel, points, curve.style);
  }
  picture.frame(panel, true);
}

void draw(const std::vector<Material>& materials, const std::filesystem::path& file) {
  Picture picture(kWidth, kHeight);
  picture.text(kLeft, 30, "The model, minute by minute, beside fresh takes", Picture::Align::left,
               {18, true});
  const LineStyle model{line_color(0)}, limit{line_color(1), true}, coded{line_color(2)};
  double x = kLeft + 620;
  for (const auto& [name, style] : std::initializer_list<std::pair<const char*, LineStyle>>{
           {"model", model}, {"limit", limit}, {"fresh takes through the codec", coded}}) {
    picture.line_sample(x, 25, 26, style);
    picture.text(x + 34, 29.5, name, Picture::Align::left, {});
    x += 130;
  }
  for (size_t i = 0; i < materials.size(); ++i) {
    const Judgement fresh(materials[i].fresh, materials[i].model);
    const Judgement through(materials[i].fresh, materials[i].coded);
    Rectangle area{kLeft + static_cast<double>(i) * kColumnWidth, kTop, kPanelWidth, kPanelHeight};
    picture.text(area.x, area.y - 10, materials[i].name, Picture::Align::left, {14, true});
    draw_curves(picture, area, "Distance / limit",
                {{"codec", coded, through.shares()},
                 {"limit", limit, {1}},
                 {"model", model, fresh.shares()}});
    area.y += kRowHeight;
    draw_curves(picture, area, "Least movement in a second",
                {{"codec", coded, each(materials[i].coded, &Part::movement)},
                 {"limit", limit, {fresh.movement_limit}},
                 {"model", model, each(materials[i].model, &Part::movement)}});
  }
  write_file_atomically(file, picture.png());
}

int run(const Request& request) {
  return timed(request.plot, "distances and movement", [&] {
    const std::vector<Material> materials = measure_all(request);
    print_distances(materials, "fresh takes", &Material::fresh);
    print_distances(materials, "fresh takes that went through the codec", &Material::coded);
    print_summary(materials);
    if (request.causes > 0) print_causes(materials, request.causes);
    draw(materials, request.plot);
  });
}

}  // namespace
}  // namespace dsf::bench

int main(int argc, char** argv) {
  CLI::App app(
      "Whether a model, left to itself for minutes, leaves the spread of takes of its "
      "texture, drifts or freezes.",
      "texture_endurance");
  dsf::CommonOptions common;
  dsf::bench::Request request;
  dsf::bench::add_source_options(app, request.source);
  app.add_option("--seconds", request.seconds, "Of each class, in whole minutes")
      ->check(dsf::real_from_to(180, 86400))
      ->capture_default_str();
  app.add_option("--param", request.parameter, "Of all sounds")
      ->check(dsf::real_from_to(0, 1))
      ->capture_default_str();
  app.add_option("--seed", request.seed, "The first of all takes' seeds, and the model's")
      ->capture_default_str();
  app.add_option("--class", request.only, "This one only (default: all)");
  app.add_option("--causes", request.causes,
                 "Name so many statistics of each class, those that are farthest from fresh takes")
      ->capture_default_str();
  app.add_option("--takes", request.takes, "Fresh takes of a minute of each class")
      ->check(CLI::Range(6, 1000))
      ->capture_default_str();
  app.add_option("--plot", request.plot, "Picture to write")->capture_default_str();
  dsf::add_common_options(app, common,
                          "  texture_endurance\n  texture_endurance --model runs/mine --param 0.2",
                          "0 done, 1 failed, 2 misused");
  return dsf::run_app(app, argc, argv, common, [&] {
    request.coded_takes = std::min(request.takes, request.coded_takes);
    return dsf::bench::run(request);
  });
}
