// The form of one launch, where the cases of ops cannot look.
#include "kernels/decode_step/decode_step.h"

#include <algorithm>

#include "engine/model/cached_decoder.h"
#include "tests/cuda_case.h"
#include "tests/simt/device_array.h"
#include "tests/small_model.h"

namespace dsf::simt {
namespace {

using dsf::testing::OpCase;

/// The case of this form and variant.
const OpCase& find_case(const char* form, const char* variant) {
  const std::string name = fmt::format("decode_step/{}/{}", form, variant);
  const auto& cases = dsf::testing::all_op_cases();
  const auto found = std::find_if(cases.begin(), cases.end(),
                                  [&](const OpCase& op_case) { return op_case.name == name; });
  DSF_CHECK(found != cases.end(), "no case {}", name);
  return *found;
}

constexpr const char* kSmall = "4streams/2conditions/24x2heads/2layers/ring7/frame9/position9";

dsf::testing::CudaResults run(const OpCase& op_case) {
  return run_on_cuda(op_case, make_tensors(op_case, 5, GradientMode::overwrite));
}

TEST(SimtDecodeStep, DoesNotDependOnHowManyBlocksThereAre) {
  const OpCase& op_case = find_case("forward", kSmall);
  const auto results = run(op_case);
  for (const int blocks : {1, 2, 4, 7, 8}) {
    set_multiprocessors(blocks);
    EXPECT_TRUE(run(op_case).same_bits(results)) << blocks << " blocks";
  }
  set_multiprocessors(kMultiprocessors);
}

TEST(SimtDecodeStep, RowsLongerThanWhatAWarpLoadsAtOnce) {
  const OpCase& op_case =
      find_case("forward", "2streams/1conditions/528x6heads/1layers/ring300/frame310/position310");
  auto host = make_tensors(op_case, 5, GradientMode::overwrite);
  expect_as_on_cpu(op_case, host, run_on_cuda(op_case, host));
}

/// What a case's forward queues.
size_t launches(const char* form, const char* variant) {
  const OpCase& op_case = find_case(form, variant);
  dsf::testing::CudaTensors device(op_case, make_tensors(op_case, 5, GradientMode::overwrite));
  begin_recording();
  op_case.forward(device.ctx, device.tensors);
  return end_recording().size();
}

TEST(SimtDecodeStep, IsALaunchOrTwoForFewStreams) {
  EXPECT_EQ(launches("forward", kSmall), 1U);
  EXPECT_GT(launches("composed", kSmall), 20U);
  EXPECT_EQ(launches("forward", "6streams/3conditions/24x2heads/2layers/ring7/frame3/position3"),
            2U);
  const char* many = "9streams/3conditions/24x2heads/1layers/ring7/frame9/position9";
  EXPECT_EQ(launches("forward", many), launches("composed", many));
}

TEST(SimtDecodeStep, IsComposedWhereBlocksHaveTooLittleSharedMemory) {
  const OpCase& op_case = find_case("forward", kSmall);
  const auto composed = run(find_case("composed", kSmall));
  auto host = make_tensors(op_case, 5, GradientMode::overwrite);
  for (const size_t kib : {163, 99}) {  // of compute capability 8.0; of 8.6, 8.9 and 12.0
    set_max_shared_bytes(kib * 1024);
    const size_t wanted = launches("forward", kSmall);
    const auto results = run(op_case);
    set_max_shared_bytes(kMaxSharedBytes);
    EXPECT_EQ(wanted == 1, kib == 163) << wanted << " launches with " << kib << " KiB";
    EXPECT_EQ(results.same_bits(composed), kib != 163);
    expect_as_on_cpu(op_case, host, results);
  }
}

/// The bytes of a decoder's numbers between blocks.
int64_t exchange_bytes(int64_t streams, bool composed) {
  const ModelConfig config = dsf::testing::small_model();
  const ParameterTable table(config);
  std::vector<float> weights(static_cast<size_t>(table.size()));
  const CachedDecoder decoder(config, table, {weights.data(), {table.size()}}, streams,
                              Context{Device::cuda}, composed);
  for (const Arena::Entry& entry : decoder.arena().entries()) {
    if (entry.name == "exchange") return entry.bytes;
  }
  return 0;
}

TEST(SimtDecodeStep, ADecoderHasRoomForALaunchsStreams) {
  const int64_t of_four = exchange_bytes(4, false);
  EXPECT_GT(of_four, exchange_bytes(3, false));
  EXPECT_EQ(exchange_bytes(8, false), of_four);
  EXPECT_EQ(exchange_bytes(9, false), 0);
  EXPECT_EQ(exchange_bytes(4, true), 0);
}

/// decode_step_forward of a model of one layer, none of whose numbers are there.
void step_of_nothing(int64_t streams, int64_t heads) {
  constexpr int64_t e = 4, hidden = 8, codebooks = 2;
  float nothing = 0;
  const int32_t no_code = 0;
  const auto of = [&](const Shape& shape) { return Tensor(&nothing, shape); };
  const Tensor state = of({streams, e}), bias = of({e}), film = of({1, e});
  const Tensor ring = of({3, streams, e});
  DecodeStepModel model;
  model.heads = heads;
  model.embedding = of({codebooks, 6, e / codebooks});
  model.norm_w = model.norm_b = bias;
  model.head_w = of({10, e});
  model.head_b = of({10});
  model.layers = {{of({3 * e, e}), of({3 * e}), of({e, e}), bias, of({hidden, e}), of({hidden}),
                   of({e, hidden}), bias, film, film, film, film, ring, ring}};
  const DecodeStepScratch scratch{
      state,         state,         state, state, state, state, state, state, of({streams, hidden}),
      of({streams}), of({streams}), {},    {},    {}};
  decode_step_forward(Context{Device::cuda}, of({streams, 10}),
                      ConstIndexTensor(&no_code, {streams, codebooks}), model, scratch, 0, 0);
}

TEST(SimtDecodeStep, ChecksItsArgumentsBeforeItReckonsWithThem) {
  dsf::testing::expect_error<Error>([] { step_of_nothing(1, 0); }, {"0 heads"});
  dsf::testing::expect_error<Error>([] { step_of_nothing(0, 2); }, {"tokens [0, 2]"});
}

}  // namespace
}  // namespace dsf::simt
