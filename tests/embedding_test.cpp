// What the op cases cannot show of the embedding: refused tokens, and tokens that repeat.
#include "kernels/embedding/embedding.h"

#include <gtest/gtest.h>

#include <vector>

namespace dsf {
namespace {

constexpr int64_t kRows = 3, kCodebooks = 2, kVocabulary = 5, kWidth = 4;

class EmbeddingTest : public ::testing::Test {
 protected:
  std::vector<int32_t> token_values{0, 1, 2, 3, 4, 0};
  std::vector<float> table_values = std::vector<float>(kCodebooks * kVocabulary * kWidth, 1.0F);
  std::vector<float> row_values = std::vector<float>(kRows * kCodebooks * kWidth, 7.0F);
  IndexTensor tokens{token_values.data(), {kRows, kCodebooks}};
  Tensor tables{table_values.data(), {kCodebooks, kVocabulary, kWidth}};
  Tensor rows{row_values.data(), {kRows, kCodebooks* kWidth}};
  Context ctx;
};

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(EmbeddingTest, RefusesTokensOutsideTheVocabularyBeforeItWrites) {
  for (const int32_t token : {5, -1, 1 << 30}) {
    token_values[3] = token;
    const std::string expected = fmt::format("token {} at position 1, codebook 1", token);
    const std::string forward = error_of([&] { embedding_forward(ctx, rows, tokens, tables); });
    EXPECT_NE(forward.find(expected), std::string::npos) << forward;
    EXPECT_EQ(row_values, std::vector<float>(row_values.size(), 7.0F));
    const std::string backward =
        error_of([&] { embedding_backward(ctx, overwrite(tables), rows, tokens); });
    EXPECT_NE(backward.find(expected), std::string::npos) << backward;
    EXPECT_EQ(table_values, std::vector<float>(table_values.size(), 1.0F));
  }
}

TEST_F(EmbeddingTest, BackwardSumsTheRowsOfARepeatedTokenAndClearsTheUnused) {
  std::fill(token_values.begin(), token_values.end(), 2);
  embedding_backward(ctx, overwrite(tables), rows, tokens);
  for (int64_t entry = 0; entry < kCodebooks * kVocabulary; ++entry) {
    const float expected = entry % kVocabulary == 2 ? 7.0F * kRows : 0.0F;
    EXPECT_EQ(table_values[static_cast<size_t>(entry * kWidth)], expected) << entry;
  }
  EXPECT_NO_THROW(embedding_backward(ctx, Gradient{}, rows, tokens));
}

TEST_F(EmbeddingTest, RefusesShapesThatDoNotFit) {
  const Tensor narrow(row_values.data(), {kRows, kCodebooks * kWidth - 1});
  const Tensor fewer_rows(row_values.data(), {kRows - 1, kCodebooks * kWidth});
  const Tensor one_table(table_values.data(), {1, kVocabulary, kWidth});
  EXPECT_THROW(embedding_forward(ctx, narrow, tokens, tables), Error);
  EXPECT_THROW(embedding_forward(ctx, fewer_rows, tokens, tables), Error);
  EXPECT_THROW(embedding_forward(ctx, rows, tokens, one_table), Error);
}

}  // namespace
}  // namespace dsf
