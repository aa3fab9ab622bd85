// Tensors of every element type, their conversions, and strided views of them.
#include "engine/files/stored_tensor.h"

#include <cmath>
#include <limits>

#include "engine/files/strided.h"
#include "tests/files_support.h"

namespace dsf::files_test {
namespace {

using Extents = std::vector<int64_t>;

constexpr DType kAll[] = {DType::f16, DType::bf16, DType::f32,    DType::f64, DType::i8,
                          DType::u8,  DType::i16,  DType::u16,    DType::i32, DType::u32,
                          DType::i64, DType::u64,  DType::boolean};

template <class T>
StoredTensor stored(DType dtype, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {dtype, {static_cast<int64_t>(values.size())}, {bytes.begin(), bytes.end()}};
}

TEST(StoredTensor, NamesAndSizes) {
  std::string names;
  for (const DType dtype : kAll) {
    names += fmt::format("{} {} ", dtype_name(dtype), dtype_size(dtype));
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(names,
            "F16 2 BF16 2 F32 4 F64 8 I8 1 U8 1 I16 2 U16 2 I32 4 U32 4 I64 8 U64 8 BOOL 1 ");
  EXPECT_FALSE(parse_dtype("F8_E4M3"));
  EXPECT_FALSE(parse_dtype("f32"));
  EXPECT_FALSE(parse_dtype(""));
}

TEST(StoredTensor, SizesDoNotOverflow) {
  constexpr int64_t kBig = int64_t{1} << 32;
  EXPECT_EQ(element_count(Extents{}), 1U);
  EXPECT_EQ(element_count(Extents{2, 0, 3}), 0U);
  EXPECT_EQ(element_count(Extents{kBig, kBig / 2}), uint64_t{1} << 63);
  EXPECT_FALSE(element_count(Extents{kBig, kBig}));
  EXPECT_FALSE(element_count(Extents{2, -1}));
  EXPECT_EQ(tensor_bytes(DType::f32, Extents{3, 5}), 60U);
  EXPECT_FALSE(tensor_bytes(DType::f64, Extents{kBig, kBig / 4}));
  EXPECT_EQ(shape_text(Extents{2, 3}), "[2, 3]");
  EXPECT_EQ(shape_text(Extents{}), "[]");
}

/// What the bits mean by definition, in double: exact for all of them.
double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 31) return fraction ? std::nan("") : sign * HUGE_VAL;
  return exponent == 0 ? sign * std::ldexp(fraction, -24)
                       : sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(StoredTensor, HalvesOfEveryBitPattern) {
  std::vector<uint16_t> bits(65536);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  const std::vector<float> halves = to_floats(stored(DType::f16, bits));
  const std::vector<float> brains = to_floats(stored(DType::bf16, bits));
  for (size_t i = 0; i < bits.size(); ++i) {
    const double expected = half_value(bits[i]);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(halves[i])) << i;
    } else {
      EXPECT_EQ(halves[i], expected) << i;
      EXPECT_EQ(std::signbit(halves[i]), std::signbit(expected)) << i;
    }
    // A bfloat16 is the upper half of a float.
    const std::string float_bytes = raw<uint16_t>(0) + raw(bits[i]);
    EXPECT_EQ(raw(brains[i]), float_bytes) << i;
  }
}

TEST(StoredTensor, Floats) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(to_floats(stored<double>(DType::f64, {0.1, -2, HUGE_VAL})),
            (std::vector<float>{0.1F, -2, inf}));
  EXPECT_EQ(to_floats(stored<int64_t>(DType::i64, {-3, INT64_MAX})),
            (std::vector<float>{-3, 0x1p63F}));
  EXPECT_EQ(to_floats(stored<uint64_t>(DType::u64, {UINT64_MAX})), std::vector<float>{0x1p64F});
  EXPECT_EQ(to_floats(stored<int8_t>(DType::i8, {-128, 127})), (std::vector<float>{-128, 127}));
  EXPECT_EQ(to_floats(stored<uint8_t>(DType::u8, {255})), std::vector<float>{255});
  EXPECT_EQ(to_floats(stored<uint8_t>(DType::boolean, {0, 1, 2})), (std::vector<float>{0, 1, 1}));
}

TEST(StoredTensor, Integers) {
  EXPECT_EQ(to_int32(stored<int64_t>(DType::i64, {INT32_MIN, INT32_MAX})),
            (std::vector<int32_t>{INT32_MIN, INT32_MAX}));
  EXPECT_EQ(to_int32(stored<uint16_t>(DType::u16, {65535})), std::vector<int32_t>{65535});
  EXPECT_EQ(to_int32(stored<uint8_t>(DType::boolean, {0, 7})), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(error_of([] {
              to_int32(stored<int64_t>(DType::i64, {0, int64_t{1} << 31}), "x");
            }),
            "x: element 1 is 2147483648, expected an integer of 32 bits");
  EXPECT_EQ(error_of([] { to_int32(stored<uint32_t>(DType::u32, {UINT32_MAX}), "x"); }),
            "x: element 0 is 4294967295, expected an integer of 32 bits");
  EXPECT_EQ(error_of([] { to_int32(stored<float>(DType::f32, {1}), "x"); }),
            "x: expected integers, found elements of type F32");
}

TEST(StoredTensor, FromValues) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const StoredTensor tensor = from_floats({2, 3}, values);
  EXPECT_EQ(tensor.dtype, DType::f32);
  EXPECT_EQ(tensor.shape, (Extents{2, 3}));
  EXPECT_EQ(to_floats(tensor), values);
  EXPECT_EQ(to_int32(from_int32({1}, std::vector<int32_t>{-9})), std::vector<int32_t>{-9});
  EXPECT_EQ(error_of([&] {
              from_floats({2, 2}, values);
            }),
            "6 values do not fill a tensor of shape [2, 2]");
  EXPECT_EQ(error_of([&] {
              from_floats({-2, -3}, values);
            }),
            "6 values do not fill a tensor of shape [-2, -3]");
}

StoredTensor gather(uint64_t storage_elements, uint64_t offset, const Extents& shape,
                    const Extents& strides, uint64_t max_bytes = 1000) {
  std::vector<int16_t> storage(storage_elements);
  for (size_t i = 0; i < storage.size(); ++i) storage[i] = static_cast<int16_t>(i);
  return gather_strided(DType::i16, std::as_bytes(std::span(storage)), offset, shape, strides,
                        max_bytes, "file");
}

TEST(Strided, GathersWhatTheDefinitionSays) {
  struct View {
    uint64_t offset;
    Extents shape, strides;
    std::vector<int32_t> values;
  };
  const View views[] = {
      {0, {2, 3}, {3, 1}, {0, 1, 2, 3, 4, 5}},    // dense
      {6, {2, 3}, {3, 1}, {6, 7, 8, 9, 10, 11}},  // to the last element
      {0, {3, 2}, {1, 3}, {0, 3, 1, 4, 2, 5}},    // transposed
      {1, {2, 2, 2}, {4, 1, 2}, {1, 3, 2, 4, 5, 7, 6, 8}},
      {5, {3}, {0}, {5, 5, 5}},                 // expanded
      {0, {3, 2}, {1, 1}, {0, 1, 1, 2, 2, 3}},  // overlapping
      {11, {}, {}, {11}},
      {11, {1}, {INT64_MAX}, {11}},  // strides that no step is taken of
      {3, {1, 2, 1}, {INT64_MAX, 4, INT64_MAX}, {3, 7}},
      {99, {2, 0}, {5, 7}, {}},  // no elements, so none outside
  };
  for (const View& view : views) {
    const StoredTensor tensor = gather(12, view.offset, view.shape, view.strides);
    EXPECT_EQ(tensor.shape, view.shape);
    EXPECT_EQ(to_int32(tensor), view.values) << shape_text(view.shape);
  }
}

TEST(Strided, RefusesWhatReachesOutside) {
  const auto message = [](uint64_t offset, const Extents& shape, const Extents& strides,
                          uint64_t max_bytes = 1000) {
    return error_of([&] { gather(12, offset, shape, strides, max_bytes); });
  };
  EXPECT_EQ(message(7, {2, 3}, {3, 1}),
            "file: shape [2, 3] with strides [3, 1] from element 7 reaches outside a storage of 12 "
            "elements");
  const std::string outside = "reaches outside a storage of 12 elements";
  expect_contains(message(12, {}, {}), outside);
  expect_contains(message(UINT64_MAX, {}, {}), outside);
  expect_contains(message(UINT64_MAX, {2}, {1}), outside);
  expect_contains(message(0, {2}, {12}), outside);
  expect_contains(message(0, {2, 2}, {INT64_MAX, INT64_MAX}), outside);
  expect_contains(message(0, {3}, {INT64_MAX}),
                  outside);  // 2 · INT64_MAX is even too far for 64 bits
  expect_contains(message(0, {3, 3, 3}, {INT64_MAX, INT64_MAX, INT64_MAX}), outside);
  EXPECT_EQ(message(0, {2}, {-1}),
            "file: shape [2] with strides [-1] is not a tensor of at most 16 axes");
  expect_contains(message(0, {2}, {1, 1}), "is not a tensor of at most 16 axes");
  expect_contains(message(0, Extents(17, 1), Extents(17, 1)), "is not a tensor of at most 16 axes");
  EXPECT_EQ(message(0, {501}, {0}),
            "file: a tensor of shape [501] is larger than this file can justify");
  expect_contains(message(0, {INT64_MAX, INT64_MAX}, {0, 0}), "than this file can justify");
  expect_contains(message(0, {-1}, {1}), "than this file can justify");
}

TEST(Strided, FortranOrder) {
  EXPECT_EQ(fortran_strides(Extents{2, 3, 4}), (Extents{1, 2, 6}));
  EXPECT_EQ(fortran_strides(Extents{}), Extents{});
  const Extents huge(3, int64_t{1} << 40);
  EXPECT_THROW(gather(1, 0, huge, fortran_strides(huge), UINT64_MAX), Error);
}

}  // namespace
}  // namespace dsf::files_test
