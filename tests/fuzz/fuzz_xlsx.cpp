// Data frames as spreadsheets. An input is a whole workbook, or, where it does not begin as one,
// the XML of its parts, separated by zero bytes: sheet, shared text, workbook, relationships.
#include "engine/data/data_frame.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_zip.h"

namespace {

std::string workbook(std::string_view text) {
  constexpr std::string_view kRoot =
      "<Relationships><Relationship Id=\"r\" Type=\"x/officeDocument\" "
      "Target=\"xl/workbook.xml\"/></Relationships>";
  std::vector<dsf::fuzz::ZipPart> parts = {
      {"xl/worksheets/sheet1.xml", ""},
      {"xl/sharedStrings.xml", "<sst/>"},
      {"xl/workbook.xml", "<workbook><sheets><sheet r:id=\"a\"/></sheets></workbook>"},
      {"xl/_rels/workbook.xml.rels",
       "<Relationships><Relationship Id=\"a\" Type=\"x/worksheet\" "
       "Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"b\" Type=\"x/sharedStrings\" "
       "Target=\"sharedStrings.xml\"/></Relationships>"},
      {"_rels/.rels", kRoot}};
  for (dsf::fuzz::ZipPart& part : parts) {
    const size_t size = std::min(text.find('\0'), text.size());
    part.content = text.substr(0, size);
    if (size == text.size()) break;
    text.remove_prefix(size + 1);
  }
  return dsf::fuzz::stored_zip(parts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".xlsx");
  const std::string_view bytes = dsf::fuzz::text_of(data, size);
  const auto& path = input.write(bytes.starts_with("PK\x03\x04")
                                     ? dsf::fuzz::with_right_checksums(std::string(bytes))
                                     : workbook(bytes));
  dsf::fuzz::may_refuse([&] {
    dsf::Faults faults;
    dsf::read_data_frame(path, faults);
  });
  return 0;
}
