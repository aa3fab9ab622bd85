#pragma once
#include <string_view>

#include "kernels/onednn/prepared_matmul.h"

namespace dsf::testing {

/// Why a test does not run where onednn::has_bf16() is false. That it is false there alone is what
/// PreparedMatmul.KnowsWhetherTheProcessorHasBf16 says.
inline constexpr std::string_view kWithoutBf16 =
    "SKIPPED: this processor does not multiply bf16 numbers";

}  // namespace dsf::testing
