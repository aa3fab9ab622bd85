// What the ops' headers promise beyond the cases of op_cases.h, of their CUDA forms: gradients that
// are written over dy, gradients that are unwanted, indices outside their tables.
#include <cmath>

#include "kernels/adaln/adaln.h"
#include "kernels/dropout/dropout.h"
#include "kernels/embedding/embedding.h"
#include "kernels/film/film.h"
#include "kernels/layernorm/layernorm.h"
#include "kernels/layernorm/residual_layernorm.h"
#include "kernels/relu/relu.h"
#include "kernels/residual/residual.h"
#include "kernels/residual_vq/residual_vq.h"
#include "kernels/rope/rope.h"
#include "tests/simt/device_array.h"

namespace dsf::simt {
namespace {

using Values = std::vector<float>;

const Context kGpu{Device::cuda};

Values wave(int64_t size, double frequency) {
  Values values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(0.5 + std::sin(frequency * static_cast<double>(i + 1)));
  }
  return values;
}

/// A tensor in memory of the device.
class DeviceTensor {
 public:
  DeviceTensor(const Shape& shape, double frequency)
      : array_(wave(shape.size(), frequency)), view_(array_.data(), shape) {}
  /// Of values that nobody has written.
  explicit DeviceTensor(const Shape& shape)
      : array_(static_cast<size_t>(shape.size())), view_(array_.data(), shape) {}

  operator Tensor() const { return view_; }
  operator ConstTensor() const { return view_; }
  Values values() const { return array_.values(); }

 private:
  DeviceArray<float> array_;
  Tensor view_;
};

/// backward(dx, dy) gives the same dx where that is dy as where it is not, and the same of what it
/// returns: its other gradients.
template <class Backward>
void expect_same_over_dy(const Shape& shape, const Backward& backward) {
  const auto run = [&](bool over) {
    const DeviceTensor dy(shape, 0.3), apart(shape);
    const DeviceTensor& dx = over ? dy : apart;
    std::vector<Values> results = backward(overwrite(dx), dy);
    results.push_back(dx.values());
    return results;
  };
  EXPECT_EQ(same_in_all_schedules([&] { return run(true); }), run(false)) << shape.str();
}

// Rows of whole vectors, and others.
const Shape kShapes[] = {{2, 17, 24}, {2, 17, 9}};

TEST(SimtOpContracts, ElementwiseGradientsMayBeWrittenOverTheirs) {
  for (const Shape& shape : kShapes) {
    const DeviceTensor y(shape, 0.7);
    expect_same_over_dy(shape, [&](const Gradient& dx, ConstTensor dy) {
      relu_backward(kGpu, dx, dy, y);
      return std::vector<Values>{};
    });
    const DropoutStream dropout{0.2F, {5, 6, 7}};
    expect_same_over_dy(shape, [&](const Gradient& dx, ConstTensor dy) {
      dropout_backward(kGpu, dx, dy, dropout);
      return std::vector<Values>{};
    });
    expect_same_over_dy(shape, [&](const Gradient& dbranch, ConstTensor dy) {
      const DeviceTensor dskip(shape);
      residual_backward(kGpu, dbranch, overwrite(dskip), dy, dropout);
      return std::vector<Values>{dskip.values()};
    });
    expect_same_over_dy(shape, [&](const Gradient& dskip, ConstTensor dy) {
      const DeviceTensor dbranch(shape);
      residual_backward(kGpu, overwrite(dbranch), dskip, dy, dropout);
      return std::vector<Values>{dbranch.values()};
    });
    const DeviceTensor first({17, shape[2] / 2}, 0.1), second({17, shape[2] / 2}, 0.2);
    expect_same_over_dy(shape, [&](const Gradient& dx, ConstTensor dy) {
      rope_backward(kGpu, dx, dy, 1, first, second);
      return std::vector<Values>{};
    });
  }
}

TEST(SimtOpContracts, GradientsOfRowsMayBeWrittenOverTheirs) {
  for (const Shape& shape : kShapes) {
    const DeviceTensor x(shape, 0.7);
    const Shape rows{2, shape[2]};
    const DeviceTensor gamma(rows, 0.1), scale(rows, 0.4), mu(rows, 0.6), log_sigma(rows, 0.9);
    expect_same_over_dy(shape, [&](const Gradient& dx, ConstTensor dy) {
      const DeviceTensor dgamma(rows), dbeta(rows);
      film_backward(kGpu, dx, overwrite(dgamma), overwrite(dbeta), dy, x, gamma);
      return std::vector<Values>{dgamma.values(), dbeta.values()};
    });
    expect_same_over_dy(shape, [&](const Gradient& dx, ConstTensor dy) {
      const DeviceTensor a(rows), b(rows), c(rows), d(rows);
      adaln_backward(kGpu, dx, {overwrite(a), overwrite(b), overwrite(c), overwrite(d)}, dy, x,
                     scale, {mu, log_sigma, gamma, mu});
      return std::vector<Values>{a.values(), b.values(), c.values(), d.values()};
    });
    const DeviceTensor mean({34}, 0.1), rstd({34}, 0.2), weight({shape[2]}, 0.4);
    expect_same_over_dy(shape, [&](const Gradient& dx, ConstTensor dy) {
      const DeviceTensor dweight({shape[2]}), dbias({shape[2]});
      layernorm_backward(kGpu, dx, overwrite(dweight), overwrite(dbias), dy, x, mean, rstd, weight);
      return std::vector<Values>{dweight.values(), dbias.values()};
    });
    const DropoutStream dropout{0.2F, {5, 6, 7}};
    expect_same_over_dy(shape, [&](const Gradient& dsum, ConstTensor dy) {
      const DeviceTensor dbranch(shape), dweight({shape[2]});
      residual_layernorm_backward(kGpu, dsum, overwrite(dbranch), overwrite(dweight), {}, dy, x,
                                  mean, rstd, weight, dropout);
      return std::vector<Values>{dbranch.values(), dweight.values()};
    });
  }
}

TEST(SimtOpContracts, ResidualAndNormFusedAreTheTwoOneAfterTheOther) {
  const DropoutStream dropout{0.2F, {5, 6, 7}};
  for (const Shape& shape : kShapes) {
    const DeviceTensor branch(shape, 0.3), skip(shape, 0.7), weight({shape[2]}, 0.4),
        bias({shape[2]}, 0.2), dy(shape, 0.9);
    const DeviceTensor sum(shape), y(shape), mean({34}), rstd({34}), dsum(shape, 0.1),
        dbranch(shape);
    residual_forward(kGpu, sum, branch, skip, dropout);
    layernorm_forward(kGpu, y, mean, rstd, sum, weight, bias);
    layernorm_backward(kGpu, accumulate(dsum), {}, {}, dy, sum, mean, rstd, weight);
    residual_backward(kGpu, overwrite(dbranch), {}, dsum, dropout);

    const DeviceTensor fused_y(shape), fused_mean({34}), fused_rstd({34}), fused_dsum(shape, 0.1),
        fused_dbranch(shape);
    residual_layernorm_forward(kGpu, fused_y, skip, fused_mean, fused_rstd, branch, skip, dropout,
                               weight, bias);  // sum in skip's place
    EXPECT_EQ(skip.values(), sum.values()) << shape.str();
    EXPECT_EQ(fused_y.values(), y.values()) << shape.str();
    EXPECT_EQ(fused_mean.values(), mean.values()) << shape.str();
    EXPECT_EQ(fused_rstd.values(), rstd.values()) << shape.str();
    residual_layernorm_backward(kGpu, accumulate(fused_dsum), {}, {}, {}, dy, sum, mean, rstd,
                                weight, dropout);
    EXPECT_EQ(fused_dsum.values(), dsum.values()) << shape.str();
    const DeviceTensor again(shape, 0.1);
    residual_layernorm_backward(kGpu, accumulate(again), overwrite(fused_dbranch), {}, {}, dy, sum,
                                mean, rstd, weight, dropout);
    EXPECT_EQ(again.values(), dsum.values()) << shape.str();
    EXPECT_EQ(fused_dbranch.values(), dbranch.values()) << shape.str();
  }
}

TEST(SimtOpContracts, UnwantedGradientsAreLeftOut) {
  const Shape shape{6, 12}, rows{3, 12};
  const DeviceTensor dy(shape, 0.3), x(shape, 0.7), gamma(rows, 0.1);
  const DeviceTensor dx(shape), dgamma(rows), dbeta(rows), dbranch(shape), dskip(shape);
  const DeviceTensor only_dx(shape), only_dgamma(rows), only_dbeta(rows), only_dbranch(shape),
      only_dskip(shape);
  film_backward(kGpu, overwrite(dx), overwrite(dgamma), overwrite(dbeta), dy, x, gamma);
  film_backward(kGpu, overwrite(only_dx), {}, {}, dy, x, gamma);
  film_backward(kGpu, {}, overwrite(only_dgamma), {}, dy, x, gamma);
  film_backward(kGpu, {}, {}, overwrite(only_dbeta), dy, x, gamma);
  EXPECT_EQ(only_dx.values(), dx.values());
  EXPECT_EQ(only_dgamma.values(), dgamma.values());
  EXPECT_EQ(only_dbeta.values(), dbeta.values());

  const DropoutStream dropout{0.2F, {5, 6, 7}};
  residual_backward(kGpu, overwrite(dbranch), overwrite(dskip), dy, dropout);
  residual_backward(kGpu, overwrite(only_dbranch), {}, dy, dropout);
  residual_backward(kGpu, {}, overwrite(only_dskip), dy, dropout);
  EXPECT_EQ(only_dbranch.values(), dbranch.values());
  EXPECT_EQ(only_dskip.values(), dskip.values());
  EXPECT_NO_THROW(residual_backward(kGpu, {}, overwrite(dy), dy, dropout));
  EXPECT_EQ(dy.values(), dskip.values());
}

TEST(SimtOpContracts, TokensOutsideTheirTableGiveNanAndNoGradient) {
  constexpr int kTokens = 8, kVocabulary = 5;
  for (const int64_t part : {4, 3}) {
    const DeviceArray<int32_t> tokens(std::vector<int32_t>{0, 4, 5, 1, -1, 2, 1 << 30, 3});
    const ConstIndexTensor view(tokens.data(), {kTokens / 2, 2});
    const DeviceTensor tables({2, kVocabulary, part}, 0.3), y({kTokens / 2, 2 * part});
    embedding_forward(kGpu, y, view, tables);
    const Values rows = y.values(), entries = tables.values();
    const std::vector<int32_t> values = tokens.values();
    const DeviceTensor dy({kTokens / 2, 2 * part}, 0.7), dtables({2, kVocabulary, part});
    embedding_backward(kGpu, overwrite(dtables), dy, view);
    const Values gradient = dy.values();
    Values expected(entries.size(), 0.0F);
    for (int i = 0; i < kTokens; ++i) {
      const int32_t token = values[static_cast<size_t>(i)];
      for (int64_t e = 0; e < part; ++e) {
        const auto at = static_cast<size_t>(i * part + e);
        if (token < 0 || token >= kVocabulary) {
          EXPECT_TRUE(std::isnan(rows[at])) << token;
          continue;
        }
        const auto entry = static_cast<size_t>((i % 2 * kVocabulary + token) * part + e);
        EXPECT_EQ(rows[at], entries[entry]) << token;
        expected[entry] += gradient[at];
      }
    }
    EXPECT_EQ(dtables.values(), expected);
  }
}

TEST(SimtOpContracts, CodesOutsideTheirCodebookGiveNan) {
  constexpr int kFrames = 6, kCodes = 3, kLatents = 5;
  const DeviceArray<int32_t> codes(std::vector<int32_t>{0, 2, 1, 3, 0, 0,  //
                                                        0, -1, 1, 0, 2, 1 << 30});
  const DeviceTensor codebooks({2, kCodes, 4}, 0.3), w({2, 4, kLatents}, 0.4), b({2, kLatents}, 1);
  const DeviceTensor z({1, kFrames, kLatents});
  residual_vq_decode(kGpu, z, {codes.data(), {1, 2, kFrames}}, {codebooks, w, b});
  const Values latents = z.values();
  for (int i = 0; i < kFrames * kLatents; ++i) {
    const int frame = i / kLatents;
    EXPECT_EQ(std::isnan(latents[static_cast<size_t>(i)]), frame == 1 || frame == 3 || frame == 5)
        << frame;
  }
}

TEST(SimtOpContracts, LatentsThatAreNoNumbersHaveNoCode) {
  constexpr int64_t kFrames = 5, kBooks = 2, kCodes = 3, kDims = 2, kLatents = 4;
  const DeviceTensor codebooks({kBooks, kCodes, kDims}, 0.3), w({kBooks, kDims, kLatents}, 0.4),
      b({kBooks, kLatents}, 1), w_in({kBooks, kLatents, kDims}, 0.6), b_in({kBooks, kDims}, 2),
      directions({kBooks, kDims, kCodes}, 0.8);
  const Values whole = wave(kFrames * kLatents, 0.7);
  Values damaged = whole;
  damaged[1 * kLatents] = NAN;
  damaged[2 * kLatents + 1] = -INFINITY;
  damaged[4 * kLatents + 3] = 3e38F;
  const auto encode = [&](const Values& z) {
    const DeviceArray<float> residual(z);
    const DeviceTensor projections({1, kFrames, kBooks * kDims});
    const DeviceArray<int32_t> codes(std::vector<int32_t>(kBooks * kFrames, 99));
    residual_vq_encode(kGpu, {codes.data(), {1, kBooks, kFrames}}, projections,
                       {residual.data(), {1, kFrames, kLatents}}, {codebooks, w, b},
                       {w_in, b_in, directions});
    return codes.values();
  };
  const std::vector<int32_t> usual = encode(whole);
  const auto codes = same_in_all_schedules([&] { return encode(damaged); });
  for (size_t i = 0; i < usual.size(); ++i) {
    const size_t frame = i % kFrames;
    EXPECT_TRUE(usual[i] >= 0 && usual[i] < kCodes);
    EXPECT_EQ(codes[i], frame == 0 || frame == 3 ? usual[i] : -1) << i;
  }
}

}  // namespace
}  // namespace dsf::simt
