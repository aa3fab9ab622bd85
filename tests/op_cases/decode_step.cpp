#include "kernels/decode_step/decode_step.h"

#include <algorithm>
#include <cmath>

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

struct Sizes {
  int64_t batch, codebooks, vocabulary, embed, heads, expansion, layers, window, frame, position;
  int64_t conditions = 1;  // R, for as many streams each
  int64_t head_size() const { return embed / heads; }
};

using Vector = std::vector<double>;

std::string in_layer(int64_t layer, const char* name) {
  return fmt::format("{}/{}", layer, name);
}

Vector linear(const Vector& x, const Vector& w, const Vector& b, size_t first, size_t outputs) {
  Vector y(outputs);
  for (size_t o = 0; o < outputs; ++o) {
    y[o] = b[first + o];
    for (size_t i = 0; i < x.size(); ++i) y[o] += w[(first + o) * x.size() + i] * x[i];
  }
  return y;
}

Vector normed(const Vector& x) {
  double mean = 0, variance = 0;
  for (const double value : x) mean += value / static_cast<double>(x.size());
  for (const double value : x) {
    variance += (value - mean) * (value - mean) / static_cast<double>(x.size());
  }
  Vector y(x);
  for (double& value : y) value = (value - mean) / std::sqrt(variance + 1e-5);
  return y;
}

Vector affine(const Vector& x, const Vector& scale, const Vector& shift, size_t first = 0) {
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = scale[first + i] * x[i] + shift[first + i];
  return y;
}

void rotate(Vector& x, const Sizes& s) {
  const auto head_size = static_cast<size_t>(s.head_size());
  const size_t half = head_size / 2;
  for (size_t head = 0; head < static_cast<size_t>(s.heads); ++head) {
    for (size_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(s.position) *
                           std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half));
      double& a = x[head * head_size + i];
      double& b = x[head * head_size + half + i];
      const double rotated = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = rotated;
    }
  }
}

/// Softmax attention of one stream's query over the first `count` ring entries.
Vector attend(const Vector& query, const Vector& keys, const Vector& values, int64_t stream,
              int64_t count, const Sizes& s) {
  Vector mixed(query.size(), 0.0);
  const auto head_size = static_cast<size_t>(s.head_size());
  const auto entry = [&](int64_t slot) {
    return static_cast<size_t>((slot * s.batch + stream) * s.embed);
  };
  for (size_t begin = 0; begin < query.size(); begin += head_size) {
    Vector weight(static_cast<size_t>(count));
    double sum = 0;
    for (int64_t slot = 0; slot < count; ++slot) {
      double score = 0;
      for (size_t i = begin; i < begin + head_size; ++i) score += query[i] * keys[entry(slot) + i];
      weight[static_cast<size_t>(slot)] =
          std::exp(score / std::sqrt(static_cast<double>(head_size)));
      sum += weight[static_cast<size_t>(slot)];
    }
    for (int64_t slot = 0; slot < count; ++slot) {
      for (size_t i = begin; i < begin + head_size; ++i) {
        mixed[i] += weight[static_cast<size_t>(slot)] / sum * values[entry(slot) + i];
      }
    }
  }
  return mixed;
}

void layer_reference(OpDoubles& t, Vector& x, int64_t layer, int64_t stream, const Sizes& s) {
  const auto e = static_cast<size_t>(s.embed);
  const auto at = [&](const char* name) -> Vector& { return t[in_layer(layer, name)]; };
  const size_t film = static_cast<size_t>(stream / (s.batch / s.conditions)) * e;
  const Vector m1 = affine(normed(x), at("gamma1"), at("beta1"), film);
  Vector query = linear(m1, at("in_w"), at("in_b"), 0, e);
  Vector key = linear(m1, at("in_w"), at("in_b"), e, e);
  const Vector value = linear(m1, at("in_w"), at("in_b"), 2 * e, e);
  rotate(query, s);
  rotate(key, s);
  const auto place = ((s.frame % s.window) * s.batch + stream) * s.embed;
  std::ranges::copy(key, at("keys").begin() + place);
  std::ranges::copy(value, at("values").begin() + place);
  const Vector mixed =
      attend(query, at("keys"), at("values"), stream, std::min(s.frame + 1, s.window), s);
  const Vector attention = linear(mixed, at("out_w"), at("out_b"), 0, e);
  for (size_t i = 0; i < e; ++i) x[i] += attention[i];
  const Vector m2 = affine(normed(x), at("gamma2"), at("beta2"), film);
  Vector hidden =
      linear(m2, at("expand_w"), at("expand_b"), 0, static_cast<size_t>(s.expansion) * e);
  for (double& h : hidden) h = std::max(h, 0.0);
  const Vector out = linear(hidden, at("reduce_w"), at("reduce_b"), 0, e);
  for (size_t i = 0; i < e; ++i) x[i] += out[i];
}

void reference(OpDoubles& t, const Sizes& s) {
  const auto outputs = static_cast<size_t>(s.codebooks * s.vocabulary);
  const int64_t part = s.embed / s.codebooks;
  for (int64_t stream = 0; stream < s.batch; ++stream) {
    Vector x;
    for (int64_t n = 0; n < s.codebooks; ++n) {
      const int64_t code = t.index("tokens")[static_cast<size_t>(stream * s.codebooks + n)];
      const auto row = t["embedding"].begin() + (n * (s.vocabulary + 1) + code) * part;
      x.insert(x.end(), row, row + part);
    }
    for (int64_t layer = 0; layer < s.layers; ++layer) layer_reference(t, x, layer, stream, s);
    const Vector logits =
        linear(affine(normed(x), t["norm_w"], t["norm_b"]), t["head_w"], t["head_b"], 0, outputs);
    std::ranges::copy(logits, t["logits"].begin() + stream * static_cast<int64_t>(outputs));
  }
}

DecodeStepModel model_of(const OpTensors& t, const Sizes& s) {
  DecodeStepModel model;
  model.heads = s.heads;
  model.embedding = t["embedding"];
  model.norm_w = t["norm_w"];
  model.norm_b = t["norm_b"];
  model.head_w = t["head_w"];
  model.head_b = t["head_b"];
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const auto at = [&](const char* name) { return t[in_layer(layer, name)]; };
    model.layers.push_back({at("in_w"), at("in_b"), at("out_w"), at("out_b"), at("expand_w"),
                            at("expand_b"), at("reduce_w"), at("reduce_b"), at("gamma1"),
                            at("beta1"), at("gamma2"), at("beta2"), at("keys"), at("values")});
  }
  return model;
}

DecodeStepScratch scratch_of(const OpTensors& t) {
  return {t["x"],     t["normed"],     t["modulated"],   t["query"],   t["key"],
          t["value"], t["mixed"],      t["branch"],      t["hidden"],  t["mean"],
          t["rstd"],  t["rope_first"], t["rope_second"], t["exchange"]};
}

void add_slots(OpCase& op_case, const Sizes& s) {
  const int64_t e = s.embed, hidden = s.expansion * e;
  const auto fan_in = [](int64_t inputs) { return 1.0 / std::sqrt(static_cast<double>(inputs)); };
  const auto input = [&](const std::string& name, const Shape& shape, double scale,
                         double mean = 0) {
    op_case.inputs.push_back({name, shape, Slot::Fill::normal, scale, mean, false});
  };
  input("embedding", {s.codebooks, s.vocabulary + 1, e / s.codebooks}, 1);
  input("norm_w", {e}, 0.1, 1);
  input("norm_b", {e}, 0.1);
  input("head_w", {s.codebooks * s.vocabulary, e}, fan_in(e));
  input("head_b", {s.codebooks * s.vocabulary}, 0.1);
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const auto weight = [&](const char* name, const Shape& shape, double scale, double mean = 0) {
      input(in_layer(layer, name), shape, scale, mean);
    };
    weight("in_w", {3 * e, e}, fan_in(e));
    weight("in_b", {3 * e}, 0.1);
    weight("out_w", {e, e}, fan_in(e));
    weight("out_b", {e}, 0.1);
    weight("expand_w", {hidden, e}, fan_in(e));
    weight("expand_b", {hidden}, 0.1);
    weight("reduce_w", {e, hidden}, fan_in(hidden));
    weight("reduce_b", {e}, 0.1);
    for (const char* name : {"gamma1", "gamma2"}) weight(name, {s.conditions, e}, 0.3, 1);
    for (const char* name : {"beta1", "beta2"}) weight(name, {s.conditions, e}, 0.3);
    weight("keys", {s.window, s.batch, e}, 1);
    weight("values", {s.window, s.batch, e}, 1);
  }
  for (const char* name :
       {"x", "normed", "modulated", "query", "key", "value", "mixed", "branch"}) {
    op_case.saved.push_back({name, {s.batch, e}});
  }
  op_case.saved.push_back({"hidden", {s.batch, hidden}});
  op_case.saved.push_back({"mean", {s.batch}});
  op_case.saved.push_back({"rstd", {s.batch}});
  op_case.saved.push_back({"rope_first", {1, s.head_size() / 2}});
  op_case.saved.push_back({"rope_second", {1, s.head_size() / 2}});
  op_case.saved.push_back(
      {"exchange", {decode_step_exchange(s.batch, e, s.heads, hidden, s.layers)}});
}

/// `step` is decode_step_forward or the composition.
void add_case(CaseList& cases, const Sizes& s, const char* form,
              decltype(decode_step_forward)* step) {
  OpCase op_case;
  op_case.name = fmt::format(
      "decode_step/{}/{}streams/{}conditions/{}x{}heads/{}layers/ring{}/frame{}/position{}", form,
      s.batch, s.conditions, s.embed, s.heads, s.layers, s.window, s.frame, s.position);
  add_slots(op_case, s);
  // Code V, the start frame's, is among them.
  op_case.index_inputs = {
      {"tokens", {s.batch, s.codebooks}, static_cast<int32_t>(s.vocabulary + 1)}};
  op_case.outputs = {{"logits", {s.batch, s.codebooks * s.vocabulary}}};
  op_case.forward = [s, step](const Context& ctx, OpTensors& t) {
    step(ctx, t["logits"], t.index("tokens"), model_of(t, s), scratch_of(t), s.frame, s.position);
  };
  op_case.reference = [s](OpDoubles& t) { reference(t, s); };
  op_case.forward_tolerance = {2e-6,
                               "some ten roundings of 2^-24 for each of two layers, amplified "
                               "by the norms"};
  const auto e = static_cast<double>(s.embed);
  const double weights =
      static_cast<double>(s.layers) * (4 + 2 * static_cast<double>(s.expansion)) * e * e +
      static_cast<double>(s.codebooks * s.vocabulary) * e;
  const double rings = static_cast<double>(s.layers * 2 * std::min(s.frame + 1, s.window)) * e *
                       static_cast<double>(s.batch);
  op_case.forward_work = {4 * (weights + rings),
                          2 * weights * static_cast<double>(s.batch) + 2 * rings};
  op_case.bench_only = weights > 1e6;
  cases.push_back(op_case);
}

}  // namespace

void add_decode_step_cases(CaseList& cases) {
  const Sizes all[] = {
      {1, 4, 19, 24, 2, 2, 2, 7, 0, 0},             // the first frame
      {1, 4, 19, 24, 2, 2, 2, 7, 3, 3},             // ring partly filled
      {2, 4, 5, 12, 12, 2, 1, 5, 6, 6},             // heads of one channel, which nothing turns
      {1, 4, 37, 60, 4, 3, 2, 5, 12, 1'000'012},    // wrapped, odd head size, far
      {2, 4, 5, 20, 1, 2, 2, 5, 6, 6},              // rows shorter than their parts together
      {3, 2, 11, 126, 2, 2, 1, 4, 9, 9},            // several streams, head size 63
      {1, 4, 3, 24, 2, 2, 1, 300, 310, 310},        // a ring of more entries than a block takes
      {4, 4, 3, 24, 2, 2, 2, 7, 9, 9, 2},           // a condition for two streams each
      {5, 4, 3, 24, 2, 2, 2, 7, 9, 9, 5},           // a condition and start codes each
      {9, 4, 3, 24, 2, 2, 1, 7, 9, 9, 3},           // more than are done in launches of few
      {6, 2, 3, 24, 2, 2, 2, 7, 3, 3, 3},           // launches of three, conditions for two
      {2, 4, 11, 528, 6, 1, 1, 300, 310, 310},      // rows longer than a warp's turn
      {1, 4, 1024, 512, 8, 4, 4, 173, 1000, 1000},  // params.yaml size
      {4, 4, 1024, 512, 8, 4, 4, 173, 1000, 1000},
      {8, 4, 1024, 512, 8, 4, 4, 173, 1000, 1000}};
  for (const Sizes& sizes : all) {
    add_case(cases, sizes, "forward", decode_step_forward);
    add_case(cases, sizes, "composed", decode_step_composed);
  }
}

}  // namespace dsf::testing
