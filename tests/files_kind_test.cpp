// Files of another kind than the one wanted are named for what they are.
#include "engine/codec/codec_weights.h"
#include "engine/files/dac_file.h"
#include "engine/files/file_kind.h"
#include "engine/training/checkpoint.h"
#include "tests/files_support.h"

namespace dsf::files_test {
namespace {

class FileKindTest : public FilesTest {};

const fs::path kCodec = kData / "dac/tiny/weights.pth";
const fs::path kModel = kData / "transformer/rope_concat_tiny/checkpoint.pth";
const fs::path kTensors = kData / "transformer/rope_concat_tiny/case.safetensors";

TEST_F(FileKindTest, IsKnownByTheFirstBytes) {
  EXPECT_EQ(file_kind(write("RIFF\1\2\3\4WAVEfmt ")), FileKind::wav);
  EXPECT_EQ(file_kind(write("RIFF\1\2\3\4AVI fmt ")), FileKind::unknown);
  EXPECT_EQ(file_kind(write("fLaC")), FileKind::flac);
  EXPECT_EQ(file_kind(write("OggS\0\2"s)), FileKind::ogg);
  EXPECT_EQ(file_kind(write("FORM\1\2\3\4AIFC")), FileKind::aiff);
  EXPECT_EQ(file_kind(kCodec), FileKind::zip);
  EXPECT_EQ(file_kind(kTensors), FileKind::safetensors);
  EXPECT_EQ(file_kind(kData / "dac/numpy2.dac"), FileKind::dac);
  EXPECT_EQ(file_kind(write("")), FileKind::unknown);
  EXPECT_EQ(file_kind(path("absent")), FileKind::unknown);
  EXPECT_EQ(file_kind(kData), FileKind::unknown);
}

TEST_F(FileKindTest, WrongOnesAreRefusedInWords) {
  const fs::path wav = write("RIFF\1\2\3\4WAVEfmt ", "a.dac");
  EXPECT_EQ(error_of([&] { read_dac(wav); }),
            wav.string() + ": this is a sound file (WAV), not a .dac file: encode it first");
  EXPECT_EQ(error_of([&] { read_model(wav); }),
            wav.string() + ": this is a sound file (WAV), not a model as .safetensors");
  EXPECT_EQ(error_of([] { read_codec_weights(kData / "dac/numpy2.dac"); }),
            (kData / "dac/numpy2.dac").string() + ": this is a .dac file, not codec weights");
  EXPECT_EQ(error_of([] { read_codec_weights(kTensors); }),
            kTensors.string() + ": this is a .safetensors file, not codec weights");
  EXPECT_EQ(error_of([] { read_codec_weights(kModel); }),
            kModel.string() + ": this is a model, not codec weights");
  EXPECT_EQ(error_of([] { read_model(kCodec); }),
            kCodec.string() + ": these are codec weights, not a model");
}

}  // namespace
}  // namespace dsf::files_test
