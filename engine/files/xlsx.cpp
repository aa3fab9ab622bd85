#include "engine/files/xlsx.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <pugixml.hpp>

#include "engine/files/quote.h"
#include "engine/files/zip_archive.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

using pugi::xml_node;

constexpr int64_t kMaxRow = 1'048'576;  // of a sheet, by the format's definition
constexpr size_t kMaxSheets = 10'000;
constexpr size_t kMaxRelationships = 10'000;
// Of a part's XML: how many '<', and how many '='. A parsed tree takes some 130 bytes for each '<'
// (an element and the text after it) and 40 for each '=' (an attribute), far more than the text.
constexpr int64_t kMaxMarks = 2'000'000;
constexpr int64_t kMaxDirectoryMarks = 200'000;  // of parts that only list other parts

// ---- XML: elements by their names without prefix, as writers choose prefixes freely ----

std::string_view local_name(std::string_view name) {
  return name.substr(name.find(':') + 1);  // npos + 1 is 0
}

/// The first element named `name` under `parent`, from `after` (null: the beginning) on.
xml_node next_element(xml_node parent, std::string_view name, xml_node after = {}) {
  for (xml_node node = after ? after.next_sibling() : parent.first_child(); node;
       node = node.next_sibling()) {
    if (local_name(node.name()) == name) return node;
  }
  return {};
}

template <class Use>
void for_each_element(xml_node parent, std::string_view name, const Use& use) {
  for (xml_node node = next_element(parent, name); node; node = next_element(parent, name, node)) {
    use(node);
  }
}

/// The characters directly in an element.
std::string characters(xml_node element) {
  std::string text;
  for (const xml_node node : element) {
    if (node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata) text += node.value();
  }
  return text;
}

/// The text of <si> or <is>: plain, or in runs. Phonetic hints (<rPh>) are left out.
std::string rich_text(xml_node element) {
  std::string text;
  for (const xml_node node : element) {
    const std::string_view name = local_name(node.name());
    if (name == "t") text += characters(node);
    if (name == "r") text += characters(next_element(node, "t"));
  }
  return text;
}

// ---- The archive's parts ----

/// A part of the archive, parsed.
class Part {
 public:
  Part(const ZipArchive& archive, const std::string& source, std::string path,
       std::string_view root_name, int64_t max_marks = kMaxMarks)
      : path_(std::move(path)), where_(fmt::format("{}: {}", source, quote(path_))) {
    const std::string text = archive.read(path_, kMaxTableBytes);
    for (const char mark : {'<', '='}) {
      const int64_t count = std::ranges::count(text, mark);
      if (count > max_marks) {
        fail("{} has {} '{}', at most {} are expected", where_, count, mark, max_marks);
      }
    }
    // Blank text counts where it is all that an element holds: a run of rich text may be a blank.
    const unsigned options =
        pugi::parse_default | pugi::parse_doctype | pugi::parse_ws_pcdata_single;
    const pugi::xml_parse_result result = document_.load_buffer(text.data(), text.size(), options);
    if (!result) {
      fail("{} is not valid XML: {} at byte {}", where_, result.description(), result.offset);
    }
    for (const xml_node node : document_) {
      if (node.type() == pugi::node_doctype)
        fail("{} has a document type; no workbook has", where_);
    }
    root_ = document_.document_element();
    if (local_name(root_.name()) != root_name) {
      fail("{} holds <{}>, expected <{}>", where_, quote(root_.name()), root_name);
    }
  }

  xml_node root() const { return root_; }
  const std::string& where() const { return where_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::string where_;
  pugi::xml_document document_;
  xml_node root_;
};

struct Relationship {
  std::string id;
  std::string_view kind;  // what the type ends with: worksheet, sharedStrings …
  std::string path;       // in the archive
};

/// Whom a part of the archive refers to. `part` is empty for the archive itself.
class Relationships {
 public:
  Relationships(const ZipArchive& archive, const std::string& source, const std::string& part)
      : folder_(std::filesystem::path(part).parent_path()),
        part_(archive, source, file_of(part), "Relationships", kMaxDirectoryMarks) {
    for_each_element(part_.root(), "Relationship", [&](xml_node node) {
      if (list_.size() == kMaxRelationships) {
        fail("{} has more than {} relationships", where(), kMaxRelationships);
      }
      if (std::string_view(node.attribute("TargetMode").value()) == "External") return;
      const std::string_view type = node.attribute("Type").value();
      const auto target = folder_ / node.attribute("Target").value();
      list_.push_back({node.attribute("Id").value(), type.substr(type.rfind('/') + 1),
                       target.lexically_normal().relative_path().generic_string()});
      by_id_.emplace(list_.back().id, list_.size() - 1);  // the first of equal ones counts
    });
  }

  const Relationship* find_kind(std::string_view kind) const {
    for (const Relationship& one : list_) {
      if (one.kind == kind) return &one;
    }
    return nullptr;
  }
  const Relationship* find_id(std::string_view id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &list_[found->second];
  }
  const std::string& where() const { return part_.where(); }

 private:
  static std::string file_of(const std::filesystem::path& part) {
    return (part.parent_path() / "_rels" / (part.filename().string() + ".rels")).generic_string();
  }

  std::filesystem::path folder_;
  Part part_;
  std::vector<Relationship> list_;
  std::map<std::string, size_t, std::less<>> by_id_;  // places in the list
};

/// Where the first sheet and, if there is any, the shared text are.
struct Places {
  std::string sheet;
  std::string shared_strings;
};

Places find_parts(const ZipArchive& archive, const std::string& source) {
  if (!archive.contains("_rels/.rels")) {
    fail("{}: not an .xlsx workbook: it is a zip archive without '_rels/.rels'", source);
  }
  const Relationships of_archive(archive, source, "");
  const Relationship* book = of_archive.find_kind("officeDocument");
  if (!book) fail("{} names no workbook", of_archive.where());
  const Part workbook(archive, source, book->path, "workbook", kMaxDirectoryMarks);
  const Relationships of_book(archive, source, book->path);
  Places places;
  size_t sheets = 0;
  for_each_element(next_element(workbook.root(), "sheets"), "sheet", [&](xml_node sheet) {
    if (++sheets > kMaxSheets) fail("{} has more than {} sheets", workbook.where(), kMaxSheets);
    for (const pugi::xml_attribute attribute : sheet.attributes()) {
      if (!places.sheet.empty() || !std::string_view(attribute.name()).ends_with(":id")) continue;
      const Relationship* found = of_book.find_id(attribute.value());
      if (found && found->kind == "worksheet") places.sheet = found->path;  // a chart has no cells
    }
  });
  if (places.sheet.empty()) fail("{} names no worksheet", workbook.where());
  if (const Relationship* strings = of_book.find_kind("sharedStrings")) {
    places.shared_strings = strings->path;
  }
  return places;
}

std::vector<std::string> read_shared_strings(const ZipArchive& archive, const std::string& source,
                                             const std::string& path) {
  std::vector<std::string> strings;
  if (path.empty()) return strings;
  const Part part(archive, source, path, "sst");
  for_each_element(part.root(), "si", [&](xml_node si) { strings.push_back(rich_text(si)); });
  return strings;
}

// ---- The sheet ----

/// A number without sign that the whole of `text` is and that is at most `limit`.
std::optional<int64_t> parse_index(std::string_view text, int64_t limit) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0 || value > limit) return std::nullopt;
  return value;
}

class SheetReader {
 public:
  SheetReader(const Part& sheet, std::vector<std::string> strings, const std::string& source)
      : sheet_(sheet), strings_(std::move(strings)), builder_(Table::Kind::sheet, source) {}

  Table read() {
    for_each_element(next_element(sheet_.root(), "sheetData"), "row",
                     [&](xml_node row) { read_row(row); });
    return builder_.take();
  }

 private:
  // References may be left out: the row, the cell is then the one after the last.
  void read_row(xml_node row) {
    int64_t number = row_ + 1;
    if (const pugi::xml_attribute given = row.attribute("r")) {
      const auto parsed = parse_index(given.value(), kMaxRow);
      if (!parsed || *parsed < number) {
        fail("{}, after row {}: row {}, expected a number from {} to {}", sheet_.where(), row_,
             quote(given.value()), number, kMaxRow);
      }
      number = *parsed;
    }
    row_ = number;
    builder_.begin_row(row_);
    next_column_ = 0;
    for_each_element(row, "c", [&](xml_node cell) {
      const size_t column = column_of(cell);
      builder_.add(column, read_cell(cell, column));
      next_column_ = column + 1;
    });
  }

  size_t column_of(xml_node cell) const {
    const pugi::xml_attribute given = cell.attribute("r");
    if (!given) return next_column_;
    std::string_view reference = given.value();
    size_t column = 0;  // A is 1 while the letters are read: they have no zero
    while (!reference.empty() && reference[0] >= 'A' && reference[0] <= 'Z') {
      column =
          std::min(column * 26 + static_cast<size_t>(reference[0] - 'A' + 1), kMaxTableColumns + 1);
      reference.remove_prefix(1);
    }
    const auto number = parse_index(reference, kMaxRow);
    if (column <= next_column_ || column > kMaxTableColumns || !number || *number != row_) {
      fail("{}, row {}: cell {}, expected one from {}{} to {}{}", sheet_.where(), row_,
           quote(given.value()), column_letters(next_column_), row_,
           column_letters(kMaxTableColumns - 1), row_);
    }
    return column - 1;
  }

  Cell read_cell(xml_node cell, size_t column) const {
    const std::string_view type = cell.attribute("t").value();
    if (type == "inlineStr") return {rich_text(next_element(cell, "is")), std::nullopt};
    const std::string value = characters(next_element(cell, "v"));
    if (value.empty()) return {};
    const auto refuse = [&](std::string_view expected) {
      fail("{}, {}{}: {} of type {}, expected {}", sheet_.where(), column_letters(column), row_,
           quote(value), quote(type), expected);
    };
    if (type.empty() || type == "n") {
      const std::optional<double> number = parse_decimal(trimmed(value));
      if (!number) refuse("a number");
      return {fmt::format("{}", *number), number};
    }
    if (type == "s") {
      const auto index = parse_index(trimmed(value), static_cast<int64_t>(strings_.size()) - 1);
      if (!index) refuse(fmt::format("one of {} shared texts", strings_.size()));
      return {strings_[static_cast<size_t>(*index)], std::nullopt};
    }
    if (type == "b") {
      if (value != "0" && value != "1") refuse("0 or 1");
      return {value == "1" ? "TRUE" : "FALSE", value == "1" ? 1.0 : 0.0};
    }
    return {value, std::nullopt};  // str: a formula's text; e: an error; d: a date
  }

  const Part& sheet_;
  std::vector<std::string> strings_;
  TableBuilder builder_;
  int64_t row_ = 0;         // that was read last, or is being read
  size_t next_column_ = 0;  // in it
};

}  // namespace

Table read_xlsx(std::span<const std::byte> bytes, const std::string& source) {
  const ZipArchive archive(bytes, source, "an .xlsx workbook");
  const Places places = find_parts(archive, source);
  std::vector<std::string> strings = read_shared_strings(archive, source, places.shared_strings);
  const Part sheet(archive, source, places.sheet, "worksheet");
  return SheetReader(sheet, std::move(strings), source).read();
}

}  // namespace dsf
