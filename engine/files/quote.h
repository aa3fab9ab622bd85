#pragma once
// Text from a file in a message: the file may be hostile, the message must stay one short line.
#include <string>
#include <string_view>

namespace dsf {

/// 'text', with control characters as \xNN, cut after 80 bytes.
std::string quote(std::string_view text);

}  // namespace dsf
