// What torch.save writes: any file, upstream's checkpoints, codec weights. An input is a whole
// archive, or, where it does not begin as one, the pickle in an archive with one storage.
#include "engine/codec/codec_weights.h"
#include "engine/files/inspect.h"
#include "engine/training/checkpoint.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/fuzz/fuzz_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const dsf::fuzz::Input input(".pth");
  static const std::string storage(256, '\x3C');
  const std::string_view bytes = dsf::fuzz::text_of(data, size);
  const std::string file =
      bytes.starts_with("PK\x03\x04")
          ? dsf::fuzz::with_right_checksums(std::string(bytes))
          : dsf::fuzz::stored_zip(
                {{"a/data.pkl", bytes}, {"a/byteorder", "little"}, {"a/data/0", storage}});
  const auto& path = input.write(file);
  dsf::fuzz::may_refuse([&] { dsf::inspect_file(path); });
  dsf::fuzz::may_refuse([&] { dsf::read_checkpoint(path, dsf::WithMoments::yes); });
  dsf::fuzz::may_refuse([&] { dsf::read_codec_weights(path); });
  return 0;
}
