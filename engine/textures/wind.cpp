#include <complex>

#include "engine/textures/building_blocks.h"
#include "engine/textures/synthesisers.h"

namespace dsf {
namespace {

constexpr double kLowestPitch = 184;    // Hz, at strength 0
constexpr double kStrengthOctaves = 2;  // from strength 0 to 1
// What the filters, which stand still, take from a howl that rises, dB per octave: three low-passes
// 3 each, the high-pass gives 0.8.
constexpr double kFilterSlope = 8.2;

enum WindPart : uint32_t {
  wind_weather,
  wind_gusts,
  wind_flutter,
  wind_howl,
  wind_skirt,
  wind_hiss,
};

/// Complex noise in a band of `width` Hz around 0, of about unit power.
class NarrowNoise {
 public:
  NarrowNoise(const RandomStream& stream, uint32_t component, double width)
      : random_(stream, component),
        inner_(width),
        outer_(3 * width),
        scale_(1 / std::sqrt(kPowerPerHz * width / kTextureSampleRate)) {}
  std::complex<double> operator()() {
    const double real = random_.normal(), imaginary = random_.normal();
    return outer_(inner_(std::complex<double>(real, imaginary))) * scale_;
  }

 private:
  // Of both filters in a row, 3/4 of the inner one's πw/rate, for the real part and as much again
  // for the imaginary one, of which the carrier takes half.
  static constexpr double kPowerPerHz = 0.75 * std::numbers::pi;
  RandomSequence random_;
  OnePole<std::complex<double>> inner_, outer_;
  double scale_;
};

}  // namespace

std::vector<float> synthesise_wind(double strength, int64_t frames, const RandomStream& stream) {
  RandomSequence weather(stream, wind_weather);
  const double middle =
      kLowestPitch * std::exp2(kStrengthOctaves * strength + 0.03 * weather.normal());  // Hz
  const double hiss_level = 0.00012 * std::pow(10.0, 0.8 * strength + weather.uniform(-1.2, -0.2));
  const double depth = 2.2 * std::pow(strength, 1.2);  // of gusts
  SmoothCurve gusts(stream, wind_gusts, 0.35 + 0.35 * strength);
  SmoothCurve flutter(stream, wind_flutter, 2 + 3 * strength);
  NarrowNoise howl(stream, wind_howl, 24 - 16 * strength);
  NarrowNoise skirt(stream, wind_skirt, 60 + 60 * strength);
  RandomSequence hiss(stream, wind_hiss);
  OnePole<> murmur(1200), air(15000), near(middle), far(middle), farther(middle);
  HighPass thin(0.4 * middle);

  std::vector<float> sound(static_cast<size_t>(frames));
  double turns = 0;  // of the carrier
  for (float& sample : sound) {
    const double gust = gusts(), ripple = flutter();
    const double octaves = 0.12 * gust + 0.04 * ripple;
    const double level =
        from_decibels(depth * (1.3 * gust + 1.0 * ripple) + kFilterSlope * octaves);
    turns += middle * std::exp2(octaves) / kTextureSampleRate;
    turns -= std::floor(turns);
    const std::complex<double> carrier = std::polar(1.0, 2 * std::numbers::pi * turns);
    const std::complex<double> noise = howl() + 0.012 * skirt();
    const double white = hiss.normal();
    const double breath = air(3 * murmur(white) + 0.35 * white);
    sample = static_cast<float>(
        level * (2.83 * thin(farther(far(near((noise * carrier).real())))) + hiss_level * breath));
  }
  return sound;
}

}  // namespace dsf
