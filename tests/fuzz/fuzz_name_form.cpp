// Numbers in file names. An input is a form, and the name in its second line.
#include "engine/dataset/name_fields.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = dsf::fuzz::text_of(data, size);
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view name = text.substr(std::min(end + 1, text.size()));
  name = name.substr(0, name.find('\0'));  // as that of any file
  dsf::fuzz::may_refuse([&] {
    const dsf::NameForm form(std::string(text.substr(0, end)), "--fields");
    if (form.read(name).size() != form.parameter_names().size()) std::abort();
  });
  return 0;
}
