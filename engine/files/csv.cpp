#include "engine/files/csv.h"

#include <algorithm>

#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";

/// The separator of a text's first line.
char find_separator(std::string_view text, const std::string& source) {
  bool quoted = false, comma = false, semicolon = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    comma = comma || c == ',';
    semicolon = semicolon || c == ';';
  }
  if (comma && semicolon) {
    fail(
        "{}, line 1: both ',' and ';' occur, so it is not clear which separates the columns; "
        "quote the names that hold one",
        source);
  }
  return semicolon ? ';' : ',';
}

class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& source)
      : rest_(text),
        source_(source),
        separator_(find_separator(text, source)),
        builder_(Table::Kind::lines, source) {}

  Table read() {
    while (!rest_.empty()) read_row();
    return builder_.take();
  }

 private:
  void read_row() {
    builder_.begin_row(line_);
    row_line_ = line_;
    for (column_ = 0;; ++column_) {
      builder_.add(column_, rest_.starts_with('"') ? quoted_field() : plain_field());
      if (rest_.starts_with(separator_)) {
        rest_.remove_prefix(1);
      } else if (take_line_end()) {
        return;
      } else {
        fail_here("found text after a closing quote; expected a separator or the line's end");
      }
    }
  }

  Cell plain_field() {
    const char ends[] = {separator_, '\n', '\r', '"'};
    const size_t size = std::min(rest_.find_first_of({ends, sizeof ends}), rest_.size());
    if (rest_.substr(size).starts_with('"')) {
      fail_here("a quote inside a field; expected the whole field in quotes and the quote doubled");
    }
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return make_cell(std::move(text));
  }

  Cell quoted_field() {
    std::string text;
    rest_.remove_prefix(1);
    for (;;) {
      const size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) fail_here("a quote opens here and is never closed");
      text += rest_.substr(0, quote);
      rest_.remove_prefix(quote + 1);
      if (!rest_.starts_with('"')) break;
      text += '"';
      rest_.remove_prefix(1);
    }
    line_ += std::ranges::count(text, '\n');
    return make_cell(std::move(text));
  }

  static Cell make_cell(std::string text) {
    const std::optional<double> number = parse_decimal(trimmed(text));
    return {std::move(text), number};
  }

  /// Takes the end of a line or of the text; false if neither is next.
  bool take_line_end() {
    const size_t size = rest_.starts_with("\r\n") ? 2 : 1;
    if (rest_.empty()) return true;
    if (rest_[size - 1] != '\n') {
      if (rest_[0] == '\r') fail_here("a carriage return without a line feed");
      return false;
    }
    rest_.remove_prefix(size);
    ++line_;
    return true;
  }

  [[noreturn]] void fail_here(std::string_view what) const {
    fail("{}, line {}, column {}: {}", source_, row_line_, column_ + 1, what);
  }

  std::string_view rest_;
  const std::string& source_;
  char separator_;
  TableBuilder builder_;
  int64_t line_ = 1;
  int64_t row_line_ = 1;  // where the row began
  size_t column_ = 0;
};

void refuse_other_encodings(std::string_view text, const std::string& source) {
  const size_t valid = valid_utf8(text);
  if (valid == text.size()) return;
  fail("{}, line {}: the byte 0x{:02x} is not UTF-8; save it as CSV in UTF-8", source,
       1 + std::ranges::count(text.substr(0, valid), '\n'),
       static_cast<unsigned char>(text[valid]));
}

}  // namespace

Table read_csv(std::span<const std::byte> bytes, const std::string& source) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    fail("{}: encoded as UTF-16; save it as CSV in UTF-8", source);
  }
  if (text.starts_with(kUtf8Mark)) text.remove_prefix(kUtf8Mark.size());
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    fail("{}: not a text file: byte {} is zero", source, zero);
  }
  refuse_other_encodings(text, source);
  return CsvReader(text, source).read();
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",;\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace dsf
