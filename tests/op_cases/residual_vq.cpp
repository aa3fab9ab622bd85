#include "kernels/residual_vq/residual_vq.h"

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

}  // namespace

void add_residual_vq_cases(CaseList& cases) {
  add_case(cases, {1, 1, 1, 1, 1, 1, 1});
  add_case(cases, {2, 3, 17, 5, 37, 4, 63});
  add_case(cases, {1, 4, 431, 4, 64, 8, 12});
  add_case(cases, {1, 2, 6, 2, 5, 3, 150});
  add_case(cases, {1, 9, 87, 9, 1024, 8, 1024});
}

}  // namespace dsf::testing
