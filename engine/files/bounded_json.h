#pragma once
// JSON of a foreign file. The library would limit neither nesting, through which it recurses when
// it writes a value, nor the memory that many small values take.
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace dsf {

/// Null where the text is no JSON, is nested deeper than any file of ours, or has more than
/// `most_events`: a value or a key is one, the end of a list or object another. A hundred bytes of
/// memory for each, beside the texts, are more than any takes. Of equal keys the last one counts.
nlohmann::json parse_bounded_json(std::string_view text, size_t most_events);

}  // namespace dsf
