#pragma once
// Text from a file in a message: the file may be hostile, the message must stay one short line.
#include <string>
#include <string_view>

namespace dsf {

/// 'text', with control characters and what is not UTF-8 as \xNN, cut to at most 80 bytes of it.
std::string quote(std::string_view text);

}  // namespace dsf
