#include "kernels/residual_vq/residual_vq.h"

#include <cmath>
#include <limits>

#include "tests/op_cases.h"
#include "tests/sum_tolerance.h"

namespace dsf::testing {
namespace {

struct Size {
  int64_t batch, used, frames, codebooks, size, dims, latents;
};

double latent(OpDoubles& t, const Size& size, int64_t row, int64_t l) {
  double sum = 0;
  for (int64_t m = 0; m < size.used; ++m) {
    sum += t["b"][static_cast<size_t>(m * size.latents + l)];
    const int64_t place = (row / size.frames * size.used + m) * size.frames + row % size.frames;
    const int64_t code = t.index("codes")[static_cast<size_t>(place)];
    for (int64_t d = 0; d < size.dims; ++d) {
      sum += t["codebooks"][static_cast<size_t>((m * size.size + code) * size.dims + d)] *
             t["w"][static_cast<size_t>((m * size.dims + d) * size.latents + l)];
    }
  }
  return sum;
}

void add_case(CaseList& cases, const Size& size) {
  const auto [batch, used, frames, codebooks, codes, dims, latents] = size;
  OpCase op_case;
  op_case.name = fmt::format("residual_vq/decode/{}x{}of{}x{}/{}x{}->{}", batch, used, codebooks,
                             frames, codes, dims, latents);
  op_case.inputs = {{"codebooks", {codebooks, codes, dims}},
                    {"w", {codebooks, dims, latents}},
                    {"b", {codebooks, latents}}};
  op_case.index_inputs = {{"codes", {batch, used, frames}, static_cast<int32_t>(codes)}};
  op_case.outputs = {{"z", {batch, frames, latents}}};
  op_case.forward = [](const Context& ctx, OpTensors& t) {
    residual_vq_decode(ctx, t["z"], t.index("codes"), {t["codebooks"], t["w"], t["b"]});
  };
  op_case.reference = [size](OpDoubles& t) {
    for (size_t i = 0; i < t["z"].size(); ++i) {
      const auto place = static_cast<int64_t>(i);
      t["z"][i] = latent(t, size, place / size.latents, place % size.latents);
    }
  };
  op_case.forward_tolerance = sum_tolerance(used * dims);
  const auto rows = static_cast<double>(batch * frames);
  const auto projection = static_cast<double>(used * (dims + 1) * latents);
  op_case.forward_work = {4 * (rows * static_cast<double>(latents) + projection),
                          2 * rows * projection};
  op_case.bench_only = rows * projection > 5e6;
  cases.push_back(op_case);
}

/// The reference's row of one frame through codebook m: its projection, its code, and what is left.
void encode_row(OpDoubles& t, const Size& size, int64_t row, int64_t m) {
  const auto at = [&t](const char* name, int64_t i) -> double& {
    return t[name][static_cast<size_t>(i)];
  };
  int64_t code = 0;
  double best = -std::numeric_limits<double>::infinity();
  const int64_t p = (row * size.used + m) * size.dims;
  for (int64_t d = 0; d < size.dims; ++d) {
    double sum = at("b_in", m * size.dims + d);
    for (int64_t l = 0; l < size.latents; ++l) {
      sum += at("residual", row * size.latents + l) *
             at("w_in", (m * size.latents + l) * size.dims + d);
    }
    at("projections", p + d) = sum;
  }
  for (int64_t v = 0; v < size.size; ++v) {
    double score = 0;
    for (int64_t d = 0; d < size.dims; ++d) {
      score += at("projections", p + d) * at("directions", (m * size.dims + d) * size.size + v);
    }
    if (score <= best) continue;
    best = score;
    code = v;
  }
  t.index("codes")[static_cast<size_t>((row / size.frames * size.used + m) * size.frames +
                                       row % size.frames)] = static_cast<int32_t>(code);
  for (int64_t l = 0; l < size.latents; ++l) {
    double share = at("b", m * size.latents + l);
    for (int64_t d = 0; d < size.dims; ++d) {
      share += at("codebooks", (m * size.size + code) * size.dims + d) *
               at("w", (m * size.dims + d) * size.latents + l);
    }
    at("residual", row * size.latents + l) -= share;
  }
}

void add_encode_case(CaseList& cases, const Size& size) {
  const auto [batch, used, frames, codebooks, codes, dims, latents] = size;
  OpCase op_case;
  op_case.name = fmt::format("residual_vq/encode/{}x{}of{}x{}/{}x{}->{}", batch, used, codebooks,
                             frames, codes, dims, latents);
  const double share = 1 / std::sqrt(static_cast<double>(latents));
  op_case.inputs = {{"z", {batch, frames, latents}},
                    {"codebooks", {codebooks, codes, dims}},
                    {"directions", {codebooks, dims, codes}},
                    {"w", {codebooks, dims, latents}},
                    {"b", {codebooks, latents}},
                    {"w_in", {codebooks, latents, dims}, Slot::Fill::normal, share},
                    {"b_in", {codebooks, dims}}};
  op_case.outputs = {{"projections", {batch, frames, used * dims}},
                     {.name = "residual", .shape = {batch, frames, latents}, .starts_as = "z"}};
  op_case.index_outputs = {{"codes", {batch, used, frames}, static_cast<int32_t>(codes)}};
  op_case.forward = [](const Context& ctx, OpTensors& t) {
    residual_vq_encode(ctx, t.index("codes"), t["projections"], t["residual"],
                       {t["codebooks"], t["w"], t["b"]}, {t["w_in"], t["b_in"], t["directions"]});
  };
  op_case.reference = [size](OpDoubles& t) {
    t["residual"] = t["z"];
    for (int64_t row = 0; row < size.batch * size.frames; ++row) {
      for (int64_t m = 0; m < size.used; ++m) encode_row(t, size, row, m);
    }
  };
  op_case.forward_tolerance = sum_tolerance(used * (latents + dims));
  const auto rows = static_cast<double>(batch * frames);
  const auto projections = static_cast<double>(used * dims * latents);
  const auto search = static_cast<double>(used * dims * codes);
  op_case.forward_work = {4 * (2 * rows * static_cast<double>(latents) + 2 * projections + search),
                          2 * rows * (2 * projections + search)};
  op_case.bench_only = rows * (projections + search) > 5e6;
  cases.push_back(op_case);
}

}  // namespace

void add_residual_vq_cases(CaseList& cases) {
  add_encode_case(cases, {1, 1, 1, 1, 1, 1, 1});
  add_encode_case(cases, {2, 3, 17, 5, 37, 4, 63});
  add_encode_case(cases, {1, 4, 43, 4, 64, 8, 12});
  add_encode_case(cases, {1, 2, 6, 2, 300, 64, 150});
  add_encode_case(cases, {1, 9, 87, 9, 1024, 8, 1024});
  add_case(cases, {1, 1, 1, 1, 1, 1, 1});
  add_case(cases, {2, 3, 17, 5, 37, 4, 63});
  add_case(cases, {1, 4, 431, 4, 64, 8, 12});
  add_case(cases, {1, 2, 6, 2, 5, 3, 150});
  add_case(cases, {1, 9, 87, 9, 1024, 8, 1024});
}

}  // namespace dsf::testing
