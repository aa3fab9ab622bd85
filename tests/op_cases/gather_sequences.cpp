#include "kernels/gather_sequences/gather_sequences.h"

#include "tests/op_cases.h"

namespace dsf::testing {
namespace {

constexpr int32_t kStartCode = 1024;

struct Size {
  int64_t sequences, frames, length, codebooks, conditions, all_frames, files, delay = 0;
};

void reference(OpDoubles& t, const Size& s) {
  for (int64_t b = 0; b < s.sequences; ++b) {
    const int64_t begin = t.index("begins")[static_cast<size_t>(b)];
    for (int64_t i = 0; i < s.length * s.codebooks; ++i) {
      const int64_t frame = s.frames - s.length + i / s.codebooks - i % s.codebooks * s.delay;
      const auto token = [&](int64_t of) {
        return t.index("tokens")[static_cast<size_t>((begin + of) * s.codebooks + i % s.codebooks)];
      };
      const auto at = static_cast<size_t>(b * s.length * s.codebooks + i);
      t.index("targets")[at] = frame < 0 ? kNoTarget : token(frame);
      t.index("inputs")[at] = frame <= 0 ? kStartCode : token(frame - 1);
    }
    for (int64_t c = 0; c < s.conditions; ++c) {
      const int64_t file = t.index("files")[static_cast<size_t>(b)];
      t["batch_cond"][static_cast<size_t>(b * s.conditions + c)] =
          t["cond"][static_cast<size_t>(file * s.conditions + c)];
    }
  }
}

void add_case(CaseList& cases, const Size& s) {
  OpCase op_case;
  op_case.name = fmt::format("gather_sequences/{}x{}of{}frames/{}codebooks{}/{}conditions",
                             s.sequences, s.length, s.frames, s.codebooks,
                             s.delay > 0 ? fmt::format("delayed{}", s.delay) : "", s.conditions);
  op_case.inputs = {{"cond", {s.files, s.conditions}, Slot::Fill::normal, 1, 0, false}};
  op_case.index_inputs = {
      {"tokens", {s.all_frames, s.codebooks}, kStartCode},
      {"begins", {s.sequences}, static_cast<int32_t>(s.all_frames - s.frames + 1)},
      {"files", {s.sequences}, static_cast<int32_t>(s.files)}};
  op_case.outputs = {{"batch_cond", {s.sequences, s.conditions}}};
  const Shape batch{s.sequences, s.length, s.codebooks};
  op_case.index_outputs = {{"inputs", batch}, {"targets", batch}};
  op_case.forward = [s](const Context& ctx, OpTensors& t) {
    gather_sequences(ctx, t.index("inputs"), t.index("targets"), t["batch_cond"], t.index("tokens"),
                     t["cond"], t.index("begins"), t.index("files"), s.frames, kStartCode, s.delay);
  };
  op_case.reference = [s](OpDoubles& t) { reference(t, s); };
  op_case.forward_tolerance = {0, "copies"};
  op_case.forward_work = {16.0 * static_cast<double>(batch.size()), 0};
  op_case.bench_only = batch.size() > 10000;
  cases.push_back(op_case);
}

}  // namespace

void add_gather_sequences_cases(CaseList& cases) {
  add_case(cases, {3, 9, 9, 4, 3, 31, 5});  // with a start frame
  add_case(cases, {2, 9, 8, 3, 1, 9, 1});   // without; the data set is one sequence
  add_case(cases, {1, 2, 1, 1, 7, 17, 2});
  add_case(cases, {3, 9, 9, 4, 3, 31, 5, 1});
  add_case(cases, {2, 5, 5, 3, 3, 31, 5, 2});
  add_case(cases, {8, 431, 431, 4, 8, 100'000, 200});
}

}  // namespace dsf::testing
