// The rotation's tables against stored ones and exact angles, and what the rotation is for: scores
// that depend on the distance of two positions only.
#include "kernels/rope/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "tests/worst.h"

namespace dsf {
namespace {

struct Tables {
  Tables(int64_t positions, int64_t angles)
      : first_values(static_cast<size_t>(positions * angles)),
        second_values(first_values.size()),
        first(first_values.data(), {positions, angles}),
        second(second_values.data(), {positions, angles}) {}
  std::vector<float> first_values, second_values;
  Tensor first, second;
};

struct Matrix {
  std::vector<float> values;
  int64_t rows = 0, cols = 0;
};

// One float32 matrix of a safetensors file: 8 bytes of header length, JSON header, data.
Matrix read_matrix(const std::filesystem::path& file, const std::string& name) {
  std::ifstream in(file, std::ios::binary);
  uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), sizeof length);
  std::string header(length, ' ');
  in.read(header.data(), static_cast<std::streamsize>(length));
  const auto entry = nlohmann::json::parse(header).at(name);
  Matrix matrix;
  matrix.rows = entry.at("shape").at(0);
  matrix.cols = entry.at("shape").at(1);
  matrix.values.resize(static_cast<size_t>(matrix.rows * matrix.cols));
  in.seekg(static_cast<std::streamoff>(8 + length + entry.at("data_offsets").at(0).get<size_t>()));
  in.read(reinterpret_cast<char*>(matrix.values.data()),
          static_cast<std::streamsize>(matrix.values.size() * sizeof(float)));
  EXPECT_TRUE(in.good()) << file;
  return matrix;
}

// The stored rows are [sin of E/4 angles, cos of E/4 angles]; each serves two channels.
void expect_upstream_tables(const std::filesystem::path& file) {
  const Matrix stored = read_matrix(file, "param/positional_embedding.sinusoid");
  Tables tables(stored.rows, stored.cols);
  rope_embedding_tables(tables.first, tables.second, 2 * stored.cols);
  double worst = 0;
  for (int64_t t = 0; t < stored.rows; ++t) {
    const float* row = stored.values.data() + t * stored.cols;
    for (int64_t i = 0; i < stored.cols; ++i) {
      const double sine = row[i / 2], cosine = row[stored.cols / 2 + i / 2];
      worst = testing::worse(worst, std::abs(tables.first.row(t)[i] - sine));
      worst = testing::worse(worst, std::abs(tables.second.row(t)[i] - cosine));
    }
  }
  // Of equal angles, two libraries' sines are one unit in the last place apart at most.
  EXPECT_LE(worst, 0x1p-24) << file;
}

TEST(Rope, EmbeddingTablesAreThoseOfTheTinyCheckpoint) {
  expect_upstream_tables(DSF_SOURCE_DIR
                         "/tests/data/transformer/rope_concat_tiny/case.safetensors");
}

TEST(Rope, EmbeddingTablesAreThoseOfTheLargerCheckpoints) {
  const std::filesystem::path golden = DSF_SOURCE_DIR "/../shared/golden/transformer";
  if (!std::filesystem::exists(golden)) GTEST_SKIP() << "SKIPPED: no " << golden;
  for (const char* name : {"rope_concat_small", "rope_concat_odd"}) {
    expect_upstream_tables(golden / name / "case.safetensors");
  }
}

TEST(Rope, HeadTablesStayExactAtFarPositions) {
  const int64_t head_size = 63, columns = 31, positions = 5;
  for (const int64_t start : {0LL, 1000LL, 1'000'000LL, 100'000'000LL}) {
    Tables tables(positions, columns);
    rope_head_tables(Context{}, tables.first, tables.second, start, head_size);
    double worst = 0;
    for (int64_t t = 0; t < positions; ++t) {
      for (int64_t i = 0; i < columns; ++i) {
        const long double frequency =
            std::pow(10000.0L, -static_cast<long double>(i) / static_cast<long double>(columns));
        const long double angle = static_cast<long double>(start + t) * frequency;
        const auto cosine = static_cast<double>(std::cos(angle));
        const auto sine = static_cast<double>(std::sin(angle));
        worst = testing::worse(worst, std::abs(tables.first.row(t)[i] - cosine));
        worst = testing::worse(worst, std::abs(tables.second.row(t)[i] - sine));
      }
    }
    // Rounding to float, and a double frequency (two ulp) and angle (half an ulp) times position.
    EXPECT_LE(worst, 0x1p-25 + 2.5 * 0x1p-52 * static_cast<double>(start + positions)) << start;
  }
}

std::vector<float> sequence(int64_t size, double phase) {
  std::vector<float> values(static_cast<size_t>(size));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::sin(phase + 1.7 * static_cast<double>(i)));
  }
  return values;
}

// The scores q_i·k_j of one head for positions from `start` on, every position holding the same q
// and the same k, so that all that differs between two scores is the positions.
std::vector<double> scores(const std::vector<float>& q, const std::vector<float>& k, int64_t start,
                           int64_t positions) {
  const auto size = static_cast<int64_t>(q.size());
  Tables tables(positions, size / 2);
  rope_head_tables(Context{}, tables.first, tables.second, start, size);
  const auto turn = [&](const std::vector<float>& vector) {
    std::vector<float> all;
    for (int64_t t = 0; t < positions; ++t) all.insert(all.end(), vector.begin(), vector.end());
    const Tensor x(all.data(), {1, positions, size});
    rope_forward(Context{}, x, x, 1, tables.first, tables.second);
    return all;
  };
  const std::vector<float> queries = turn(q), keys = turn(k);
  std::vector<double> result;
  for (int64_t i = 0; i < positions; ++i) {
    for (int64_t j = 0; j < positions; ++j) {
      result.push_back(std::inner_product(queries.begin() + i * size,
                                          queries.begin() + (i + 1) * size, keys.begin() + j * size,
                                          0.0));
    }
  }
  return result;
}

TEST(Rope, ScoresDependOnTheDistanceOfPositionsOnly) {
  const int64_t positions = 9;
  for (const int64_t head_size : {2, 12, 63}) {
    const std::vector<float> q = sequence(head_size, 0.3), k = sequence(head_size, 1.1);
    const auto norm = [](const std::vector<float>& v) {
      return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
    };
    // Turned q and k each carry a table's and three more roundings: 8·2^-24 of |q|·|k|.
    const double limit = 8 * 0x1p-24 * norm(q) * norm(k);
    const std::vector<double> near = scores(q, k, 0, positions);
    EXPECT_NEAR(near[0], std::inner_product(q.begin(), q.end(), k.begin(), 0.0), limit);
    for (const int64_t start : {int64_t{0}, int64_t{1000}, int64_t{1'000'000}}) {
      const std::vector<double> far = scores(q, k, start, positions);
      for (int64_t i = 0; i < positions; ++i) {
        for (int64_t j = 0; j < positions; ++j) {
          const int64_t same = i >= j ? (i - j) * positions : j - i;  // (i−j, 0) or (0, j−i)
          ASSERT_NEAR(far[static_cast<size_t>(i * positions + j)], near[static_cast<size_t>(same)],
                      limit)
              << "head of " << head_size << ", positions " << start << " + " << i << ", " << j;
        }
      }
    }
  }
}

TEST(Rope, AHeadOfTwoTurnsByThePositionInRadians) {
  const std::vector<double> turned = scores({1, 0}, {1, 0}, 0, 4);
  for (int64_t distance = 0; distance < 4; ++distance) {
    EXPECT_NEAR(turned[static_cast<size_t>(distance)], std::cos(static_cast<double>(distance)),
                2 * 0x1p-24);
  }
}

TEST(Rope, InPlaceBackwardUndoesForward) {
  const int64_t batch = 2, positions = 17, heads = 2, head_size = 63;
  Tables tables(positions, head_size / 2);
  rope_head_tables(Context{}, tables.first, tables.second, 5, head_size);
  const std::vector<float> original = sequence(batch * positions * heads * head_size, 0.0);
  std::vector<float> values = original;
  const Tensor x(values.data(), {batch, positions, heads * head_size});
  rope_forward(Context{}, x, x, heads, tables.first, tables.second);
  EXPECT_NE(values, original);
  rope_backward(Context{}, overwrite(x), x, heads, tables.first, tables.second);
  for (size_t i = 0; i < values.size(); ++i) {
    // Twice a table's and three more roundings of a pair no longer than √2.
    ASSERT_NEAR(values[i], original[i], 8 * 0x1p-24 * std::sqrt(2.0)) << i;
  }
}

TEST(Rope, RefusesWhatDoesNotFit) {
  std::vector<float> values(2 * 3 * 12), angles(3 * 6);
  const Tensor x(values.data(), {2, 3, 12}), table(angles.data(), {3, 6});
  const Tensor short_table(angles.data(), {2, 6});
  const Context ctx;
  EXPECT_NO_THROW(rope_forward(ctx, x, x, 1, table, table));
  EXPECT_THROW(rope_forward(ctx, x, x, 2, table, table), Error);
  EXPECT_THROW(rope_forward(ctx, x, x, 5, table, table), Error);
  EXPECT_THROW(rope_forward(ctx, x, x, 0, table, table), Error);
  EXPECT_THROW(rope_forward(ctx, x, x, 1, short_table, short_table), Error);
  EXPECT_THROW(rope_embedding_tables(table, table, 10), Error);
  EXPECT_THROW(rope_head_tables(Context{}, table, table, 0, 15), Error);
}

}  // namespace
}  // namespace dsf
