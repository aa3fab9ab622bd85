// Spreadsheets: what writers of all kinds produce, and what an attacker would.
#include "engine/files/xlsx.h"

#include "tests/frames_support.h"

namespace dsf::frames_test {
namespace {

Table read(const std::string& bytes) {
  return read_xlsx(bytes_of(bytes), "t.xlsx");
}

Table read(const Parts& parts) {
  return read(make_zip(parts));
}

std::string refusal(const Parts& parts, bool compressed = true) {
  const std::string bytes = make_zip(parts, compressed);
  const std::string message = error_of([&] { read(bytes); });
  EXPECT_TRUE(message.starts_with("t.xlsx: ") || message.starts_with("t.xlsx, ")) << message;
  return message;
}

/// The text of row `row` of a table, cells between bars.
std::string row_text(const Table& table, size_t row) {
  std::string text;
  for (const Cell& cell : table.rows[row].cells) {
    text += "|" + cell.text + (cell.number ? fmt::format("={}", *cell.number) : "");
  }
  return text;
}

TEST(Xlsx, ReadsEveryKindOfCell) {
  const Table table = read(workbook(
      "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" s=\"1\"/>"
      "<c r=\"C1\" t=\"s\"><v> 1 </v></c><c r=\"E1\" s=\"1\"/></row>"
      "<row r=\"2\"/>"
      "<row r=\"7\"><c r=\"A7\"><v>0.57999999999999996</v></c><c r=\"B7\" t=\"n\"><v>1e3</v></c>"
      "<c r=\"C7\" t=\"b\"><v>1</v></c><c r=\"D7\" t=\"b\"><v>0</v></c>"
      "<c r=\"E7\" t=\"inlineStr\"><is><t>in</t><r><t>line</t></r></is></c>"
      "<c r=\"F7\" t=\"str\"><f>A1&amp;B1</f><v>0.5</v></c><c r=\"G7\" t=\"e\"><v>#N/A</v></c>"
      "<c r=\"H7\"><f>A7*2</f><v>1.16</v></c></row>",
      "<si><t>plain</t></si>"
      "<si><r><rPr><b/></rPr><t>two</t></r><r><t xml:space=\"preserve\"> </t></r><r><t>runs</t></r>"
      "<rPh sb=\"0\" eb=\"1\"><t>hint</t></rPh></si>"));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(row_text(table, 0), "|plain||two runs");
  EXPECT_EQ(row_text(table, 1), "|0.58=0.58|1000=1000|TRUE=1|FALSE=0|inline|0.5|#N/A|1.16=1.16");
  EXPECT_EQ(table.rows[1].number, 7);
  EXPECT_EQ(table.place(1, 1), "t.xlsx, B7");
  EXPECT_TRUE(table.cell(0, 20).empty());
}

TEST(Xlsx, LettersOfColumns) {
  EXPECT_EQ(column_letters(0), "A");
  EXPECT_EQ(column_letters(25), "Z");
  EXPECT_EQ(column_letters(26), "AA");
  EXPECT_EQ(column_letters(701), "ZZ");
  EXPECT_EQ(column_letters(702), "AAA");
}

TEST(Xlsx, ReferencesMayBeLeftOut) {
  const Table table =
      read(workbook("<row><c><v>1</v></c><c><v>2</v></c></row><row r=\"5\"><c "
                    "r=\"B5\"><v>3</v></c><c><v>4</v></c>"
                    "</row><row><c><v>5</v></c></row>"));
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(row_text(table, 0), "|1=1|2=2");
  EXPECT_EQ(row_text(table, 1), "||3=3|4=4");
  EXPECT_EQ(table.place(2, 0), "t.xlsx, A6");
}

TEST(Xlsx, TheFirstSheetIsReadWhereverItIs) {
  Parts parts = workbook("<row><c><v>1</v></c></row>");
  parts["_rels/.rels"] = relationships(relationship("r0", "core-properties", "docProps/core.xml") +
                                       relationship("r1", "officeDocument", "/book/main.xml"));
  // A chart stands before the sheets; prefixes are the writer's own.
  parts["book/main.xml"] =
      "<x:workbook xmlns:x=\"m\" xmlns:rel=\"r\"><x:sheets><x:sheet x:name=\"c\" rel:id=\"c\"/>"
      "<x:sheet rel:id=\"b\"/><x:sheet rel:id=\"a\"/></x:sheets></x:workbook>";
  parts["book/_rels/main.xml.rels"] = relationships(
      relationship("a", "worksheet", "../a.xml") +
      relationship("b", "worksheet", "../other/b.xml") + relationship("c", "chartsheet", "c.xml"));
  parts["other/b.xml"] =
      "<x:worksheet xmlns:x=\"m\"><x:sheetData><x:row r=\"1\"><x:c r=\"A1\"><x:v>7</x:v></x:c>"
      "</x:row></x:sheetData></x:worksheet>";
  parts.erase("xl/sharedStrings.xml");  // there need not be any
  EXPECT_EQ(row_text(read(parts), 0), "|7=7");
}

TEST(Xlsx, OnlyStandardEntitiesAreExpanded) {
  const Table table =
      read(workbook("<row><c t=\"s\"><v>0</v></c></row>",
                    "<si><t>a &lt;&amp;&gt; &#65;&#x42; &lol; &quot;<![CDATA[&amp;]]></t></si>"));
  EXPECT_EQ(table.rows[0].cells[0].text, "a <&> AB &lol; \"&amp;");
}

TEST(Xlsx, EntityBombsAreRefused) {
  std::string declarations = "<!ENTITY l0 \"lol\">";
  for (int i = 1; i < 10; ++i) {
    declarations +=
        fmt::format("<!ENTITY l{} \"{}\">", i, repeated(fmt::format("&l{};", i - 1), 10));
  }
  const auto with = [](const std::string& doctype) {
    Parts parts = workbook("<row><c t=\"s\"><v>0</v></c></row>");
    parts["xl/sharedStrings.xml"] = doctype + "<sst><si><t>&l9;</t></si></sst>";
    return parts;
  };
  expect_contains(refusal(with("<!DOCTYPE sst [" + declarations + "]>")), "document type");
  expect_contains(refusal(with("<!DOCTYPE sst [<!ENTITY l9 SYSTEM \"file:///etc/passwd\">]>")),
                  "'xl/sharedStrings.xml' has a document type");
  expect_contains(refusal(with("<!DOCTYPE sst SYSTEM \"http://localhost/x.dtd\">")),
                  "document type");
}

TEST(Xlsx, ZipBombsAreRefusedBeforeTheyAreInflated) {
  const auto with_blanks = [](size_t megabytes) {
    Parts parts = workbook("<row><c><v>1</v></c></row>");
    parts["xl/worksheets/sheet1.xml"] += std::string(megabytes << 20, ' ');
    return parts;
  };
  expect_contains(refusal(with_blanks(100)), "at most 33554432 are expected");
  expect_contains(refusal(with_blanks(8)), "more than 100 times");
  EXPECT_NO_THROW(read(make_zip(with_blanks(8), false))) << "large, but as large in the file";
}

/// The archive with the uncompressed size of its entry `name` changed, in both of its headers.
std::string with_claimed_size(std::string bytes, const std::string& name, uint32_t size) {
  int changed = 0;
  for (size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
    for (const auto& [signature, header, field] :
         {std::tuple{"PK\x03\x04", 30U, 22U}, std::tuple{"PK\x01\x02", 46U, 24U}}) {
      if (at < header || bytes.substr(at - header, 4) != signature) continue;
      bytes.replace(at - header + field, 4, reinterpret_cast<const char*>(&size), 4);
      ++changed;
    }
  }
  EXPECT_EQ(changed, 2);
  return bytes;
}

TEST(Xlsx, ABombThatLiesAboutItsSizeIsRefusedWhileItIsInflated) {
  const std::string name = "xl/worksheets/sheet1.xml";
  Parts parts = workbook("<row><c><v>1</v></c></row>");
  parts[name] += std::string(size_t{50} << 20, ' ');
  const std::string bytes = make_zip(parts);
  for (const uint32_t claimed : {0U, 1U, 200U, 1U << 20}) {
    const std::string lying = with_claimed_size(bytes, name, claimed);
    expect_contains(error_of([&] { read(lying); }), "'" + name + "'");
  }
  const std::string small = make_zip(workbook("<row><c><v>1</v></c></row>"));
  const std::string boasting = with_claimed_size(small, name, 1U << 20);
  expect_contains(error_of([&] { read(boasting); }), "'" + name + "'");
}

TEST(Xlsx, OneTextInManyCellsCannotFillTheMemory) {
  std::string rows;
  for (int i = 0; i < 50; ++i) rows += "<row><c t=\"s\"><v>0</v></c></row>";
  const Parts parts = workbook(rows, "<si><t>" + std::string(1 << 20, 'x') + "</t></si>");
  expect_contains(refusal(parts, false), "A33: at most 33554432 bytes of text");
}

TEST(Xlsx, DeepNestingDoesNotOverflow) {
  constexpr size_t kDepth = 900'000;
  const std::string deep = repeated("<c>", kDepth) + repeated("</c>", kDepth);
  EXPECT_EQ(read(make_zip(workbook("<row>" + deep + "</row><row><c><v>1</v></c></row>"), false))
                .rows.size(),
            1U);
  expect_contains(refusal(workbook(repeated("<row>", kDepth)), false), "not valid XML");
}

TEST(Xlsx, MoreElementsThanASheetHasAreRefusedBeforeTheyAreParsed) {
  expect_contains(refusal(workbook(repeated("<a/>", 2'000'001)), false),
                  "'xl/worksheets/sheet1.xml' has 2000005 '<', at most 2000000 are expected");
  expect_contains(refusal(workbook("", "<si " + repeated("a='' ", 2'000'001) + "/>"), false),
                  "'xl/sharedStrings.xml' has 2000001 '=', at most 2000000 are expected");
  Parts parts = workbook("");
  parts["_rels/.rels"] += repeated("<a/>", 200'000);
  expect_contains(refusal(parts, false), "'_rels/.rels' has 200004 '<', at most 200000");
}

TEST(Xlsx, MoreSheetsOrRelationshipsThanAnyWorkbookHasAreRefused) {
  const std::string sheets = repeated("<sheet r:id=\"none\"/>", 10'001);
  Parts parts = workbook("");
  parts["xl/workbook.xml"] = "<workbook><sheets>" + sheets + "</sheets></workbook>";
  expect_contains(refusal(parts), "'xl/workbook.xml' has more than 10000 sheets");
  parts = workbook("");
  const std::string entry = relationship("rId1", "worksheet", "worksheets/sheet1.xml");
  parts["xl/_rels/workbook.xml.rels"] = relationships(repeated(entry, 10'000));
  EXPECT_NO_THROW(read(make_zip(parts)));
  parts["xl/_rels/workbook.xml.rels"] = relationships(repeated(entry, 10'001));
  expect_contains(refusal(parts), "workbook.xml.rels' has more than 10000 relationships");
}

TEST(Xlsx, AbsurdReferencesAreRefused) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"<row r=\"0\"/>", "row '0', expected a number from 1"},
      {"<row r=\"-1\"/>", "row '-1'"},
      {"<row r=\"2\"/><row r=\"2\"/>", "after row 2: row '2', expected a number from 3"},
      {"<row r=\"1048577\"/>", "row '1048577', expected a number from 1 to 1048576"},
      {"<row r=\"99999999999999999999\"/>", "row '99999999999999999999'"},
      {"<row r=\"x\"/>", "row 'x'"},
      {"<row r=\"2\"><c r=\"A3\"/></row>", "row 2: cell 'A3', expected one from A2 to ALL2"},
      {"<row><c r=\"B1\"/><c r=\"B1\"/></row>", "row 1: cell 'B1', expected one from C1"},
      {"<row><c r=\"ALM1\"/></row>", "cell 'ALM1'"},
      {"<row><c r=\"ZZZZZZZZZZZZZZZZZZZZZZZZ1\"/></row>", "expected one from A1"},
      {"<row><c r=\"A99999999999999999999999\"/></row>", "expected one from A1"},
      {"<row><c r=\"1A\"/></row>", "cell '1A'"},
      {"<row><c r=\"a1\"/></row>", "cell 'a1'"},
      {"<row><c r=\"\"/></row>", "cell ''"},
      {"<row>" + repeated("<c/>", 1000) + "<c><v>1</v></c></row>", "at most 1000 columns"},
      {"<row><c t=\"s\"><v>0</v></c></row>", "A1: '0' of type 's', expected one of 0 shared texts"},
      {"<row><c t=\"s\"><v>-1</v></c></row>", "expected one of 0 shared texts"},
      {"<row><c><v>one</v></c></row>", "A1: 'one' of type '', expected a number"},
      {"<row><c t=\"n\"><v>1e999</v></c></row>", "'1e999' of type 'n', expected a number"},
      {"<row><c><v>nan</v></c></row>", "expected a number"},
      {"<row><c t=\"b\"><v>yes</v></c></row>", "'yes' of type 'b', expected 0 or 1"},
  };
  for (const auto& [rows, message] : cases) {
    expect_contains(refusal(workbook(rows)), message);
  }
}

TEST(Xlsx, TooManyCellsAreRefused) {
  std::string rows;  // of one cell each; but the table keeps the empty ones before it
  for (int i = 1; i <= 4001; ++i) {
    rows += fmt::format("<row r=\"{0}\"><c r=\"ALL{0}\"><v>1</v></c></row>", i);
  }
  expect_contains(refusal(workbook(rows)), "ALL4001: at most 4000000 cells");
}

TEST(Xlsx, MissingPartsAreNamed) {
  const std::map<std::string, std::string> messages = {
      {"_rels/.rels", "not an .xlsx workbook"},
      {"xl/workbook.xml", "'xl/workbook.xml' is not in the archive"},
      {"xl/_rels/workbook.xml.rels", "'xl/_rels/workbook.xml.rels' is not in the archive"},
      {"xl/worksheets/sheet1.xml", "'xl/worksheets/sheet1.xml' is not in the archive"},
      {"xl/sharedStrings.xml", "'xl/sharedStrings.xml' is not in the archive"}};
  for (const auto& [name, message] : messages) {
    Parts parts = workbook("<row><c><v>1</v></c></row>");
    parts.erase(name);
    expect_contains(refusal(parts), message);
    parts[name] = "";
    expect_contains(refusal(parts), "'" + name + "' is not valid XML");
    parts[name] = "<html/>";
    expect_contains(refusal(parts), "holds <'html'>, expected <");
  }
  Parts parts = workbook("");
  parts["xl/workbook.xml"] = "<workbook/>";
  expect_contains(refusal(parts), "names no worksheet");
  parts["_rels/.rels"] = relationships("");
  expect_contains(refusal(parts), "names no workbook");
  parts["_rels/.rels"] = relationships(
      "<Relationship Type=\"x/officeDocument\" Target=\"file:///etc/x\" TargetMode=\"External\"/>");
  expect_contains(refusal(parts), "names no workbook");
  parts["_rels/.rels"] = relationships(relationship("a", "officeDocument", "../../etc/passwd"));
  expect_contains(refusal(parts), "'../../etc/passwd' is not in the archive");
}

TEST(Xlsx, OtherFilesAreToldApart) {
  expect_contains(error_of([] { read(std::string()); }), "t.xlsx: it is empty");
  expect_contains(error_of([] { read(std::string("a,b\n")); }), "it is no zip archive");
  expect_contains(error_of([] { read("\xD0\xCF\x11\xE0" + std::string(600, '\0')); }),
                  "old .xls or a password-protected workbook");
  expect_contains(error_of([] { read(std::string("PK\x03\x04 nothing")); }), "damaged zip archive");
  expect_contains(refusal({{"word/document.xml", "<a/>"}}), "without '_rels/.rels'");
}

TEST(Xlsx, DamagedFilesAreReadOrRefused) {
  std::string rows;
  for (int i = 0; i < 20; ++i) {
    rows += fmt::format("<row><c t=\"s\"><v>{}</v></c><c><v>0.{}</v></c></row>", i % 2, i);
  }
  const Parts parts = workbook(rows, "<si><t>one</t></si><si><t>two</t></si>");
  const auto damaged = [](const std::string& bytes) { read(bytes); };
  expect_survives_damage(make_zip(parts), damaged, 400, 3000);
  // Stored entries pass the flips on to the XML reader only where the checksum is mended; so the
  // XML is damaged before it is packed, too.
  for (const auto& [name, text] : parts) {
    const auto repack = [&, part = name](const std::string& xml) {
      Parts changed = parts;
      changed[part] = xml;
      read(make_zip(changed, false));
    };
    expect_survives_damage(text, repack, 100, 400);
  }
}

TEST(Xlsx, ReadsUpstreamsFrames) {
  if (!fs::exists(kShared)) GTEST_SKIP() << "SKIPPED: no " << kShared;
  const Table table = read_table(kShared / "minisyntex/dac-train.xlsx");
  ASSERT_EQ(table.rows.size(), 5U);
  EXPECT_EQ(row_text(table, 0), "|Full File Name|Class Name|Param1|foo|bar");
  EXPECT_EQ(row_text(table, 4),
            "|DSWind--strength-00.50--c-00--x-90.dac|DSWind|1=1|0.9=0.9|0.2=0.2");
  const Table lala = read_table(kShared / "Lala_data/lala_param_train.xlsx");
  ASSERT_EQ(lala.rows.size(), 9U);
  EXPECT_EQ(row_text(lala, 0), "|Full File Name|Class Name|note");
  EXPECT_EQ(row_text(lala, 5), "|05.sol.dac|solfege|0.58=0.58");
  for (const auto& [file, rows] : {std::pair{"minisyntex/dac-val.xlsx", 5U},
                                   std::pair{"Lala_data/lala_class_train.xlsx", 9U}}) {
    EXPECT_EQ(read_table(kShared / file).rows.size(), rows) << file;
  }
}

}  // namespace
}  // namespace dsf::frames_test
