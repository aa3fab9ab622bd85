// CSV files, as RFC 4180 has them, and as it has not.
#include "engine/files/csv.h"

#include "tests/frames_support.h"

namespace dsf::frames_test {
namespace {

Table read(const std::string& text) {
  return read_csv(bytes_of(text), "t.csv");
}

/// All rows: "number:cell|cell", numbers as "=value".
std::vector<std::string> rows_of(const std::string& text) {
  std::vector<std::string> rows;
  for (const Table::Row& row : read(text).rows) {
    std::string& line = rows.emplace_back(fmt::format("{}:", row.number));
    for (const Cell& cell : row.cells) {
      if (&cell != row.cells.data()) line += '|';
      line += cell.text + (cell.number ? fmt::format("={}", *cell.number) : "");
    }
  }
  return rows;
}

using Rows = std::vector<std::string>;

TEST(Csv, PlainFields) {
  EXPECT_EQ(rows_of("a,b,c\n1,,-2.5e1\n"), (Rows{"1:a|b|c", "2:1=1||-2.5e1=-25"}));
  EXPECT_EQ(rows_of("a,b\r\nc,d"), (Rows{"1:a|b", "2:c|d"}));
  EXPECT_EQ(rows_of("\xEF\xBB\xBFgrün,b\n x , 0.5 \n"), (Rows{"1:grün|b", "2: x | 0.5 =0.5"}));
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_EQ(rows_of("\n\n,,\na\n"), (Rows{"4:a"}));
  EXPECT_EQ(rows_of("a,b,\n"), (Rows{"1:a|b"}));
}

TEST(Csv, QuotedFields) {
  EXPECT_EQ(rows_of("\"a,b\",\"c \"\"d\"\"\",\"\"\n"), (Rows{"1:a,b|c \"d\""}));
  EXPECT_EQ(rows_of("\"two\nlines\",x\r\n\"and\r\nfour\n\n\",y\nz\n"),
            (Rows{"1:two\nlines|x", "3:and\r\nfour\n\n|y", "7:z"}));
  EXPECT_EQ(rows_of("\"0.5\"\n"), (Rows{"1:0.5=0.5"}));
  EXPECT_EQ(rows_of("\"a;b\",c\n"), (Rows{"1:a;b|c"}));
}

TEST(Csv, SemicolonsWhereTheFirstLineHasNoCommas) {
  EXPECT_EQ(rows_of("a;b\n0,5;x,y\n"), (Rows{"1:a|b", "2:0,5|x,y"}));
  EXPECT_EQ(rows_of("\"a,b\";c\n1;2\n"), (Rows{"1:a,b|c", "2:1=1|2=2"}));
  EXPECT_EQ(rows_of("a\n1;2\n"), (Rows{"1:a", "2:1;2"}));
}

TEST(Csv, PlacesCountLinesAndColumns) {
  const Table table = read("a,b\n\"x\ny\",c\n1,2\n");
  EXPECT_EQ(table.place(0, 1), "t.csv, line 1, column 2");
  EXPECT_EQ(table.place(2, 0), "t.csv, line 4, column 1");
}

TEST(Csv, MistakesAreShownWithTheirPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a,b;c\n", "t.csv, line 1: both ',' and ';'"},
      {"a,b\nc,d\"e\"\n", "t.csv, line 2, column 2: a quote inside a field"},
      {"a\n\"b\"c\n", "t.csv, line 2, column 1: found text after a closing quote"},
      {"a\n\"b\" ,c\n", "line 2, column 1: found text after a closing quote"},
      {"a,b\nx,\"never\nclosed", "t.csv, line 2, column 2: a quote opens here"},
      {"a\rb\n", "line 1, column 1: a carriage return without a line feed"},
      {"a\r", "line 1, column 1: a carriage return without a line feed"},
      {std::string("a\0b\n", 4), "t.csv: not a text file: byte 1 is zero"},
      {"\xFF\xFE"
       "a",
       "encoded as UTF-16"},
      {"\xFE\xFF"
       "a",
       "encoded as UTF-16"},
      {"a,b\nn\xE4\xF6,1\n", "t.csv, line 2: the byte 0xe4 is not UTF-8; save it"},
      {repeated("x,", 1001), "column 1001: at most 1000 columns"},
  };
  for (const auto& [text, message] : cases) {
    const std::string csv = text;
    expect_contains(error_of([&] { read(csv); }), message);
  }
  const std::string many = repeated(repeated("1,", 1000) + "\n", 4001);
  expect_contains(error_of([&] { read(many); }), "at most 4000000 cells");
}

TEST(Csv, FieldsAreReadBack) {
  for (const std::string field : {"plain", "", "a,b", "a;b", "a \"b\"", "two\nlines", "\"", "ü"}) {
    const Table table = read(csv_field(field) + ",x\n");
    EXPECT_EQ(table.cell(0, 0).text, field);
    EXPECT_EQ(table.cell(0, 1).text, "x");
  }
  EXPECT_EQ(csv_field("plain"), "plain");
}

TEST(Csv, DamagedFilesAreReadOrRefused) {
  const std::string text =
      "\xEF\xBB\xBF"
      "name,\"class, quoted\",p\r\n\"a\"\"b\",x,0.5\r\ny,,1e9\n";
  expect_survives_damage(
      text, [](const std::string& damaged) { read(damaged); }, text.size(), 5000);
}

}  // namespace
}  // namespace dsf::frames_test
