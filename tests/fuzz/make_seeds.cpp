// Writes what the fuzzers begin with, by our own writers: FOLDER/<target>/<name>. Small files, so
// that a change is likely to hit what matters.
#include <sndfile.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/audio/audio_file.h"
#include "engine/files/dac_file.h"
#include "engine/files/safetensors.h"
#include "engine/files/torch_writer.h"
#include "tests/frames_support.h"
#include "tests/fuzz/fuzz_model.h"
#include "tests/pickle_opcodes.h"

namespace dsf {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
const fs::path kSource = DSF_SOURCE_DIR;

/// The path of a seed, in the folder of its target.
fs::path seed(const fs::path& folder, const std::string& target, const std::string& name) {
  fs::create_directories(folder / target);
  return folder / target / name;
}

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

void make_dac(const fs::path& folder) {
  write_dac(seed(folder, "dac", "ours.dac"), frames_test::make_dac(1, 3));
  DacFile stereo = frames_test::make_dac(2, 6);
  stereo.channels = 2;
  stereo.frames = 3;
  stereo.metadata.channels = 2;
  write_dac(seed(folder, "dac", "stereo.dac"), stereo);
  fs::copy_file(kSource / "tests/data/dac/numpy2.dac", seed(folder, "dac", "numpy2.dac"),
                fs::copy_options::overwrite_existing);
}

void make_safetensors(const fs::path& folder) {
  TensorFile file;
  file.metadata = {{"format", "pt"}, {"epoch", "3"}};
  file.tensors["weight"] = from_floats({2, 3}, std::vector<float>(6, 1.5F));
  file.tensors["codes"] = from_int32({2}, std::vector<int32_t>{1, 2});
  file.tensors["empty"] = from_floats({0, 4}, {});
  write_safetensors(seed(folder, "safetensors", "all"), file);
  write_safetensors(seed(folder, "safetensors", "nothing"), TensorFile{});
  const fs::path checkpoint = seed(folder, "safetensors", "checkpoint.safetensors");
  write_checkpoint(checkpoint, fuzz::small_checkpoint(ModelClass::rope_concat));
  write(seed(folder, "safetensors", "metadata"),
        nlohmann::json(read_safetensors(checkpoint).metadata).dump());
}

/// A checkpoint with the keys of upstream's, and the state of Adam for one tensor.
void write_checkpoint_like(TorchWriter& writer, std::span<const float> elements) {
  PickleWriter& pickle = writer.pickle();
  const auto tensor = [&] {
    const int64_t shape[] = {2, 2};
    writer.tensor(shape, elements.data());
  };
  pickle.empty_dict();
  pickle.mark();
  pickle.text("model_state_dict");
  writer.ordered_dict();
  pickle.mark();
  pickle.text("layers.0.weight");
  tensor();
  pickle.set_items();
  pickle.text("optimizer_state_dict");
  pickle.empty_dict();
  pickle.mark();
  pickle.text("state");
  pickle.empty_dict();
  pickle.mark();
  pickle.integer(0);
  pickle.empty_dict();
  pickle.mark();
  pickle.text("step");
  pickle.real(3);
  pickle.text("exp_avg");
  tensor();
  pickle.text("exp_avg_sq");
  tensor();
  pickle.set_items();
  pickle.set_items();
  pickle.text("param_groups");
  pickle.empty_list();
  pickle.mark();
  pickle.empty_dict();
  pickle.append_items();
  pickle.set_items();
  for (const char* size :
       {"inf_context_length", "embed_size", "num_layers", "num_heads", "forward_expansion",
        "max_len", "num_codebooks", "vocab_size", "cond_size", "num_classes"}) {
    pickle.text(size);
    pickle.integer(2);
  }
  pickle.text("dropout");
  pickle.real(0.2);
  pickle.set_items();
}

void make_pth(const fs::path& folder) {
  TorchWriter writer;
  const std::vector<float> elements(4, 0.5F);
  write_checkpoint_like(writer, elements);
  writer.write(seed(folder, "pth", "checkpoint.pth"));
  for (const ModelClass model_class : {ModelClass::rope_concat, ModelClass::rope_adaln}) {
    const std::string name(variant_name(model_class));
    write_checkpoint(seed(folder, "pth", name + ".pth"), fuzz::small_checkpoint(model_class));
  }

  using namespace files_test;  // pickles alone
  const std::string tensor = torch_tensor(storage("FloatStorage", "0", "K\x08"), "K\0"s,
                                          "K\x02K\x03\x86", "K\x03K\x01\x86");
  const std::string kwargs = "}(" + text("encoder_rates") + "](K\x02K\x04" + "e" + text("rate") +
                             "G?\xF0\0\0\0\0\0\0"s + "Nu";
  write(seed(folder, "pth", "tensor.pkl"), whole(tensor));
  write(seed(folder, "pth", "codec.pkl"),
        whole("}(" + text("state_dict") + "}(" + text("decoder.weight") + tensor + "u" +
              text("metadata") + "}" + text("kwargs") + kwargs + "su"));
  write(seed(folder, "pth", "numpy.pkl"),
        whole(numpy_array("K\x02\x85", numpy_dtype("f4"), bytes(std::string(8, '\0')))));
}

void make_frames(const fs::path& folder) {
  const std::string rows =
      "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c><c "
      "t=\"inlineStr\"><is><t>strength</t></is></c></row><row><c t=\"str\"><v>a.dac</v></c><c "
      "t=\"b\"><v>1</v></c><c><v>0.5</v></c></row>";
  const std::string shared =
      "<si><t>Full File Name</t></si><si><r><t>Class</t></r><r><t> Name</t></r></si>";
  const frames_test::Parts parts = frames_test::workbook(rows, shared);
  write(seed(folder, "xlsx", "stored.xlsx"), frames_test::make_zip(parts, false));
  write(seed(folder, "xlsx", "deflated.xlsx"), frames_test::make_zip(parts));
  const std::string sheet = parts.at("xl/worksheets/sheet1.xml");
  const std::string strings = parts.at("xl/sharedStrings.xml");
  write(seed(folder, "xlsx", "sheet.xml"), sheet);
  write(seed(folder, "xlsx", "two.xml"), sheet + '\0' + strings);
  write(seed(folder, "xlsx", "four.xml"), sheet + '\0' + strings + '\0' +
                                              parts.at("xl/workbook.xml") + '\0' +
                                              parts.at("xl/_rels/workbook.xml.rels"));
  write(seed(folder, "csv", "commas.csv"),
        "\xEF\xBB\xBF"
        "Full File Name,Class Name,strength\r\na.dac,wind,0.5\r\n\"b \"\"c\"\"\",rain,-1e-3\r\n");
  write(seed(folder, "csv", "semicolons.csv"),
        "x;Full File Name;Class Name\n1;\"a\nb\";wind\n;c.dac;rain");
}

void make_texts(const fs::path& folder) {
  // Comments are many and say nothing to a reader.
  const auto copy = [&](const fs::path& from, const std::string& target) {
    std::ifstream file(kSource / from);
    std::string text;
    for (std::string line; std::getline(file, line);) {
      line.erase(std::min(line.find('#'), line.size()));
      if (line.find_first_not_of(' ') != std::string::npos) text += line + '\n';
    }
    write(seed(folder, target, from.filename().string()), text);
  };
  for (const char* name : {"params.yaml", "params_sm.yaml"})
    copy(fs::path("configs") / name, "config");
  copy("tests/data/params_med_upstream.yaml", "config");
  write(seed(folder, "morph_yaml", "all.yaml"),
        "unit: seconds\ninterpolation: linear\nbreakpoints:\n"
        "  - {time: 0, class: wind, parameters: {strength: 0.2}}\n"
        "  - {time: 4, classes: {wind: 0.7, rain: 0.3}, interpolation: hold}\n");
  write(seed(folder, "morph_yaml", "relative.yaml"),
        "unit: relative\nbreakpoints:\n  - time: 0.5\n    class: rain\n");
  write(seed(folder, "morph_csv", "all.csv"),
        "time,wind,rain,strength,interpolation\n0,1,0,0.5,hold\n3,,0.7,\"1\",linear\n");
  write(seed(folder, "morph_csv", "relative.csv"), "relative_time;strength\n0;0\n1;1\n");
}

void make_losses(const fs::path& folder) {
  write_loss_history(seed(folder, "losses", "losses.csv"),
                     {{1, 6.9F, 7.0F}, {5, 0.1F, std::nullopt}, {12, 1e-30F, 2.0F}});
}

void make_dataset_texts(const fs::path& folder) {
  write(seed(folder, "dataset_json", "all.json"),
        R"({"settings":{"rate":1},"recordings":[{"name":"a","bytes":1,"modified_ns":2},)"
        R"({"name":"\ufffd","bytes":3,"modified_ns":-4}]})");
  write(seed(folder, "dataset_json", "none.json"), R"({"settings":{"rate":2}})");
  write(seed(folder, "parameter_csv", "commas.csv"),
        "note,Full File Name,speed,gust\n1,wind/a.wav,0.5,-1e-3\n,\"b \"\"c\"\"\",2,3\n");
  write(seed(folder, "parameter_csv", "semicolons.csv"), "Full File Name;speed\n./a.wav;1\n");
  write(seed(folder, "control_line", "line"), "wind=0.7 a=b=-1e-2 gust=1 over 50ms");
  write(seed(folder, "midi_map", "all.yaml"),
        "port: nano\nchannel: 2\nover: 0.5\ncontrollers:\n  1: gust\n"
        "  74: {control: wind, from: 1, to: -1, over: 2}\nnotes: {60: rain}\n");
  using namespace std::string_literals;
  write(seed(folder, "osc", "message"), "/wind\0\0\0,fi\0\x3f\0\0\0\0\0\0\2"s);
  write(seed(folder, "osc", "bundle"),
        "#bundle\0\0\0\0\0\0\0\0\1\0\0\0\x14/rain\0\0\0,d\0\0\x3f\xf0\0\0\0\0\0\0"s);
  write(seed(folder, "name_form", "one"), "{}-{strength}-{}\ngust-0.5-take-2.wav");
  write(seed(folder, "name_form", "two"), "take {a} of { b }.\ntake 1 of -1e2..wav");
}

void make_sidecars(const fs::path& folder) {
  const std::string run =
      R"({"dsf_version":"0.1.0","title":"m","model":{"file":"/m","bytes":1,"hash":"a"},)"
      R"("device":"cpu","precision":"fp32","format":"flac","class":"wind","parameters":{"p":0.5},)"
      R"("duration":1,"top_n":100,"temperature":1,"seed":1,"stereo":false,"loop":false,)"
      R"("frames":20,"first_frame":10,"next_frame":30,)";
  write(seed(folder, "sidecar", "constant.json"),
        run + R"("codec":null,"morph":"constant","batch":{"seed":1,"count":2},"prime":{"from":)"
              R"([{"file":"/a.dac","bytes":2,"hash":"b"}],"frames":10},"result":{"gain_db":1}})");
  write(seed(folder, "sidecar", "file.json"),
        run + R"("codec":{"file":"/c","bytes":3,"hash":"c"},"morph":"/a.csv","morph_file":"t\n",)"
              R"("prime":{"from":["random"],"frames":0}})");
}

/// Of kinds that write_audio does not write.
void make_sounds(const fs::path& folder) {
  const std::vector<float> samples(40, 0.25F);
  const std::pair<const char*, int> kinds[] = {{"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16},
                                               {"adpcm.wav", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM},
                                               {"rf64.wav", SF_FORMAT_RF64 | SF_FORMAT_PCM_16},
                                               {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16},
                                               {"a.au", SF_FORMAT_AU | SF_FORMAT_FLOAT},
                                               {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16}};
  for (const auto& [name, format] : kinds) {
    SF_INFO info{};
    info.samplerate = 44100;
    info.channels = 2;
    info.format = format;
    SNDFILE* const file = sf_open(seed(folder, "sound", name).c_str(), SFM_WRITE, &info);
    sf_writef_float(file, samples.data(), 20);
    sf_close(file);
  }
}

void make_wav(const fs::path& folder) {
  const Audio mono{44100, 1, std::vector<float>(40, 0.25F)};
  const Audio stereo{48000, 2, std::vector<float>(40, -0.5F)};
  write_audio(seed(folder, "wav", "mono16.wav"), mono, AudioFormat::wav16);
  write_audio(seed(folder, "wav", "stereo24.wav"), stereo, AudioFormat::wav24);
  write_audio(seed(folder, "wav", "float.wav"), mono, AudioFormat::wav_float);
}

}  // namespace
}  // namespace dsf

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  dsf::make_dac(folder);
  dsf::make_safetensors(folder);
  dsf::make_pth(folder);
  dsf::make_frames(folder);
  dsf::make_texts(folder);
  dsf::make_losses(folder);
  dsf::make_dataset_texts(folder);
  dsf::make_sidecars(folder);
  dsf::make_wav(folder);
  dsf::make_sounds(folder);
  return 0;
}
