#pragma once
// Text from a file, or a file's name, in a message: it may be hostile, the message must stay one
// line that cannot steer a terminal.
#include <cstddef>
#include <string>
#include <string_view>

namespace dsf {

/// How much of a text `quote` shows, in bytes.
inline constexpr size_t kLongestQuoted = 80;

/// The text with control characters and what is not UTF-8 as \xNN.
std::string printable(std::string_view text);

/// How many bytes at the beginning of the text are UTF-8.
size_t valid_utf8(std::string_view text);

/// How many characters of UTF-8 the text has.
size_t count_characters(std::string_view text);

/// The text, printable and cut to at most `longest` bytes of it.
std::string shorten(std::string_view text, size_t longest);

/// 'text', printable and cut to at most kLongestQuoted bytes of it.
std::string quote(std::string_view text);

}  // namespace dsf
