#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "tests/op_cases.h"
#include "tests/op_cases/dropout_factor.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t batch, length, heads, head_size, lookback;
  int64_t embed() const { return heads * head_size; }
};

void reference_row(OpDoubles& t, const Size& s, const DropoutStream& dropout, int64_t b, int64_t h,
                   int64_t i) {
  const int64_t first = std::max<int64_t>(0, i - s.lookback);
  const auto at = [&](int64_t position, int64_t channel) {
    return static_cast<size_t>((b * s.length + position) * s.embed() + h * s.head_size + channel);
  };
  std::vector<double> p;
  double sum = 0;
  for (int64_t j = first; j <= i; ++j) {
    double score = 0;
    for (int64_t c = 0; c < s.head_size; ++c) score += t["q"][at(i, c)] * t["k"][at(j, c)];
    p.push_back(std::exp(score / std::sqrt(static_cast<double>(s.head_size))));
    sum += p.back();
  }
  for (int64_t c = 0; c < s.head_size; ++c) t["y"][at(i, c)] = 0;
  const int64_t row = ((b * s.heads + h) * s.length + i) * (s.lookback + 1);
  for (int64_t j = first; j <= i; ++j) {
    const double factor = dropout_factor(dropout, static_cast<size_t>(row + j - i + s.lookback));
    const double weight = p[static_cast<size_t>(j - first)] / sum * factor;
    for (int64_t c = 0; c < s.head_size; ++c) t["y"][at(i, c)] += weight * t["v"][at(j, c)];
  }
}

void add_case(CaseList& cases, const Size& s, const DropoutStream& dropout) {
  OpCase op_case;
  const Shape shape{s.batch, s.length, s.embed()};
  op_case.name = fmt::format("attention/rate{}/{}x{}/{}heads of {}/lookback{}", dropout.rate,
                             s.batch, s.length, s.heads, s.head_size, s.lookback);
  op_case.inputs = {{"q", shape}, {"k", shape}, {"v", shape}};
  op_case.outputs = {{"y", shape}};
  op_case.saved = {{"softmax", {s.batch, s.heads, s.length, 3}}};
  op_case.forward = [s, dropout](const Context& ctx, OpTensors& t) {
    attention_forward(ctx, t["y"], t["softmax"], t["q"], t["k"], t["v"], s.heads, s.lookback,
                      dropout);
  };
  op_case.backward = [s, dropout](const Context& ctx, OpTensors& t) {
    attention_backward(ctx, t.gradient("q"), t.gradient("k"), t.gradient("v"), t.grad("y"), t["y"],
                       t["softmax"], t["q"], t["k"], t["v"], s.heads, s.lookback, dropout);
  };
  op_case.reference = [s, dropout](OpDoubles& t) {
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t h = 0; h < s.heads; ++h) {
        for (int64_t i = 0; i < s.length; ++i) reference_row(t, s, dropout, b, h, i);
      }
    }
  };
  op_case.forward_tolerance = {1e-6, "scores round √S times at 2^-24 and are exponentiated"};
  op_case.backward_tolerance = {3e-6, "as forward, and dp − D cancels"};
  // A number rounded to nearest is off by 0.41 roundoffs (root mean square over mantissas), a
  // product of two by 0.58, and so, after √S, is a score: p by 0.58 of its own. y has that, and the
  // rounding of p and of v: √(0.58² + 0.41² + 0.41²) = 0.8. So has dv. In dq and dk, p, dp and D
  // are off by 0.6 to 0.8 each, ds and k by 0.41: √(3·0.7² + 2·0.41²) = 1.3, which dp − D, where it
  // cancels, and a few large numbers of a small case raise. The limits are over twice that.
  op_case.forward_roundoffs = 2;
  op_case.backward_roundoffs = 3;
  op_case.roundoff_reason = "operands, p and ds round once each, at random signs";
  // Pairs in the band, each with two products of head_size in forward, five in backward.
  double pairs = 0;
  for (int64_t i = 0; i < s.length; ++i) pairs += static_cast<double>(std::min(i, s.lookback) + 1);
  const double product = 2 * pairs * static_cast<double>(s.batch * s.embed());
  op_case.forward_work = {16.0 * static_cast<double>(shape.size()), 2 * product};
  op_case.backward_work = {32.0 * static_cast<double>(shape.size()), 5 * product};
  op_case.bench_only = product > 5e7;
  cases.push_back(op_case);
}

void add_step_case(CaseList& cases, const Size& s, int64_t count) {
  OpCase op_case;
  const int64_t window = s.lookback + 1;
  op_case.name = fmt::format("attention/step/{}streams/{}heads of {}/{} of {}", s.batch, s.heads,
                             s.head_size, count, window);
  op_case.inputs = {{"q", {s.batch, s.embed()}},
                    {"keys", {window, s.batch, s.embed()}},
                    {"values", {window, s.batch, s.embed()}}};
  op_case.outputs = {{"y", {s.batch, s.embed()}}};
  op_case.forward = [s, count](const Context& ctx, OpTensors& t) {
    attention_step_forward(ctx, t["y"], t["q"], t["keys"], t["values"], count - 1, s.heads);
  };
  op_case.reference = [s, count](OpDoubles& t) {
    for (int64_t head = 0; head < s.batch * s.heads; ++head) {  // heads of all streams in a row
      const int64_t q = head * s.head_size, stride = s.batch * s.embed();
      std::vector<double> p(static_cast<size_t>(count));
      double sum = 0;
      for (int64_t w = 0; w < count; ++w) {
        double score = 0;
        for (int64_t c = 0; c < s.head_size; ++c) {
          score += t["q"][static_cast<size_t>(q + c)] *
                   t["keys"][static_cast<size_t>(w * stride + q + c)];
        }
        sum += p[static_cast<size_t>(w)] =
            std::exp(score / std::sqrt(static_cast<double>(s.head_size)));
      }
      for (int64_t c = 0; c < s.head_size; ++c) {
        double mixed = 0;
        for (int64_t w = 0; w < count; ++w) {
          mixed += p[static_cast<size_t>(w)] / sum *
                   t["values"][static_cast<size_t>(w * stride + q + c)];
        }
        t["y"][static_cast<size_t>(q + c)] = mixed;
      }
    }
  };
  op_case.forward_tolerance = {1e-6, "scores round √S times at 2^-24 and are exponentiated"};
  const auto entries = static_cast<double>(count * s.batch * s.embed());
  op_case.forward_work = {8 * entries, 4 * entries};
  cases.push_back(op_case);
}

}  // namespace

void add_attention_cases(CaseList& cases) {
  const DropoutStream none;
  const DropoutStream some{0.2F, {42, 1001, 3}};
  for (const DropoutStream& dropout : {none, some}) {
    add_case(cases, {1, 1, 1, 12, 1}, dropout);
    add_case(cases, {2, 17, 2, 63, 6}, dropout);
    add_case(cases, {1, 17, 1, 64, 5}, dropout);
    add_case(cases, {1, 70, 3, 5, 100}, dropout);  // looks back beyond the beginning
    add_case(cases, {1, 33, 2, 12, 0}, dropout);   // sees itself only
    add_case(cases, {2, 40, 2, 64, 86}, dropout);
    add_case(cases, {1, 45, 1, 96, 30}, dropout);
    add_case(cases, {1, 40, 1, 128, 40}, dropout);
    add_case(cases, {1, 130, 1, 63, 86}, dropout);
    add_case(cases, {1, 431, 1, 12, 86}, dropout);
    add_case(cases, {8, 430, 8, 63, 172}, dropout);
  }
  add_step_case(cases, {1, 1, 2, 12, 86}, 1);
  add_step_case(cases, {3, 1, 2, 63, 16}, 11);
  add_step_case(cases, {2, 1, 1, 96, 40}, 40);
  add_step_case(cases, {2, 1, 3, 128, 63}, 64);
  add_step_case(cases, {1, 1, 8, 64, 172}, 173);
}

}  // namespace dsf::testing
