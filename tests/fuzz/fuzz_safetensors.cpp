// Safetensors: the list of what is in one, and checkpoints. An input is a whole file, or, where it
// begins as an object, what a checkpoint with the right tensors says beside them.
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/files/atomic_file.h"
#include "engine/files/inspect.h"
#include "engine/training/checkpoint.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_model.h"

namespace {

/// A checkpoint's file without metadata.
struct Tensors {
  std::string entries;  // of the header, without the '{' before them
  std::string data;
};

Tensors make_tensors(const dsf::fuzz::Input& input) {
  const auto& path = input.write("");
  dsf::write_checkpoint(path, dsf::fuzz::small_checkpoint(dsf::ModelClass::rope_concat));
  const std::vector<std::byte> bytes = dsf::read_file(path, 1 << 20);
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  uint64_t size = 0;
  std::memcpy(&size, text.data(), sizeof size);
  auto header = nlohmann::json::parse(text.substr(sizeof size, size));
  header.erase("__metadata__");
  return {header.dump().substr(1), text.substr(sizeof size + size)};
}

std::string with_metadata(const Tensors& tensors, std::string_view metadata) {
  const std::string header = fmt::format("{{\"__metadata__\":{},{}", metadata, tensors.entries);
  const uint64_t size = header.size();
  std::string bytes(sizeof size, '\0');
  std::memcpy(bytes.data(), &size, sizeof size);
  return bytes + header + tensors.data;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Tensors tensors = make_tensors(dsf::fuzz::Input(".safetensors"));
  static const dsf::fuzz::Input input(".safetensors");
  const std::string_view bytes = dsf::fuzz::text_of(data, size);
  const auto& path =
      input.write(bytes.starts_with('{') ? with_metadata(tensors, bytes) : std::string(bytes));
  dsf::fuzz::may_refuse([&] { dsf::inspect_file(path); });
  dsf::fuzz::may_refuse([&] { dsf::read_checkpoint(path, dsf::WithMoments::yes); });
  return 0;
}
