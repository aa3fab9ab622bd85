// Safetensors: round trips, the bytes written, and files that are none.
#include "engine/files/safetensors.h"

#include "tests/files_support.h"

namespace dsf::files_test {
namespace {

class Safetensors : public FilesTest {
 protected:
  static void read(const fs::path& file) { read_safetensors(file); }
  void refuse(const std::string& bytes, const std::string& part) const {
    expect_refused(read, bytes, part);
  }
};

std::string file_of(const std::string& header, const std::string& data = "") {
  return raw(uint64_t{header.size()}) + header + data;
}

StoredTensor tensor(DType dtype, std::vector<int64_t> shape, uint8_t first = 1) {
  StoredTensor result{dtype, shape, std::vector<std::byte>(*tensor_bytes(dtype, shape))};
  for (std::byte& byte : result.bytes) byte = std::byte{first++};
  return result;
}

/// A tensor of each element type, of ranks 0 to 3, one without elements.
TensorFile all_types() {
  TensorFile file;
  file.metadata = {{"", "empty"}, {"quotes \"\\\n", "ü€𝄞\x7F"}, {"format", "pt"}};
  for (const char* name : {"F16", "BF16", "F32", "F64", "I8", "U8", "I16", "U16", "I32", "U32",
                           "I64", "U64", "BOOL"}) {
    file.tensors[name] = tensor(*parse_dtype(name), {2, 1, 3});
  }
  file.tensors["scalar"] = tensor(DType::u8, {});
  file.tensors["none"] = tensor(DType::f32, {3, 0});
  file.tensors["with \"quote\" and ü"] = tensor(DType::i16, {2});
  return file;
}

TEST_F(Safetensors, RoundTrip) {
  const TensorFile file = all_types();
  write_safetensors(path("a"), file);
  EXPECT_EQ(read_safetensors(path("a")), file);
  write_safetensors(path("b"), read_safetensors(path("a")));
  EXPECT_EQ(bytes_of(path("a")), bytes_of(path("b")));
  write_safetensors(path("c"), TensorFile{});
  EXPECT_EQ(read_safetensors(path("c")), TensorFile{});
  EXPECT_EQ(bytes_of(path("c")), file_of("{}      "));
}

// Keys sorted, tensors by falling element size, the header padded to 8 bytes: byte for byte.
TEST_F(Safetensors, WritesTheseBytes) {
  TensorFile file;
  file.metadata = {{"k", "v"}};
  file.tensors["a"] = tensor(DType::u8, {3}, 1);
  file.tensors["b"] = tensor(DType::u16, {1, 2}, 4);
  file.tensors["c"] = tensor(DType::f64, {1}, 8);
  write_safetensors(path(), file);
  const std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"data_offsets":[12,15],"dtype":"U8","shape":[3]},)"
      R"("b":{"data_offsets":[8,12],"dtype":"U16","shape":[1,2]},)"
      R"("c":{"data_offsets":[0,8],"dtype":"F64","shape":[1]}})";
  ASSERT_EQ(header.size() % 8, 5U);
  EXPECT_EQ(
      bytes_of(path()),
      file_of(header + "   ", "\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x04\x05\x06\x07\x01\x02\x03"));
}

TEST_F(Safetensors, ReadsAGoldenCase) {
  const TensorFile file = read_safetensors(kData / "transformer/rope_concat_tiny/case.safetensors");
  EXPECT_EQ(file.metadata.at("num_codebooks"), "4");
  const StoredTensor& tokens = file.tensors.at("tokens");
  EXPECT_EQ(tokens.dtype, DType::i32);
  ASSERT_EQ(tokens.shape.size(), 3U);
  EXPECT_EQ(tokens.shape[2], 4);
  EXPECT_EQ(to_floats(file.tensors.at("losses")).size(), 3U);
}

// What the format allows and we do not write.
TEST_F(Safetensors, ReadsWhatOthersMayWrite) {
  refuse(file_of(" {}"), "the header is not a JSON object");  // the format says: begins with {
  const fs::path file = write(
      file_of("{ \"b\" : {\"shape\":[],\"dtype\":\"I8\",\"data_offsets\":[1,2]},\n"
              "\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1],\"shape\":[1,1]},"
              "\"z\":{\"dtype\":\"F32\",\"data_offsets\":[1,1],\"shape\":[0]},\"__metadata__\":{}}",
              "\x07\xFF"));
  const TensorFile content = read_safetensors(file);
  EXPECT_EQ(to_int32(content.tensors.at("a")), std::vector<int32_t>{7});
  EXPECT_EQ(to_int32(content.tensors.at("b")), std::vector<int32_t>{-1});
  EXPECT_EQ(content.tensors.at("z").size(), 0);
}

TEST_F(Safetensors, RefusesWhatIsNone) {
  expect_refuses_no_file(read);
  refuse("", "not a safetensors file: it has 0 bytes");
  refuse(std::string(7, 'x'),
         "not a safetensors file: it has 7 bytes; expected a .safetensors or a .pth file");
  refuse("This is a text.", "not a safetensors file: a header of 2338328219631577172 bytes in");
  refuse(raw(uint64_t{0}), "the header is not a JSON object");
  for (const uint64_t size :
       {uint64_t{3}, uint64_t{100'000'001}, UINT64_MAX, UINT64_MAX - 7, uint64_t{1} << 63}) {
    refuse(raw(size) + "{}",
           fmt::format("a header of {} bytes in a file of 10 (limit 100000000); expected a", size));
  }
}

TEST_F(Safetensors, RefusesHeadersThatAreNoJson) {
  const std::string invalid = "the header is not valid JSON";
  refuse(file_of("{"), invalid);
  refuse(file_of("{}x"), invalid);
  refuse(file_of("{}\0x"s), "the header is not valid JSON: its byte 2 is zero");
  refuse(file_of("{\"a\xFF\":1}"), invalid);
  refuse(file_of("{/* */}"), invalid);
  refuse(file_of("[]"), "the header is not a JSON object");
  refuse(file_of("\xEF\xBB\xBF{}"), "the header is not a JSON object");
  refuse(file_of("{\"\\n\":1,\"\\n\":2}"), "key '\\x0a' appears twice");
  refuse(file_of(R"({"a":{"shape":[],"shape":[]}})"), "key 'shape' appears twice");
  refuse(file_of(R"({"__metadata__":{"k":"1","k":"2"}})"), "key 'k' appears twice");
  const size_t many = 100'000;
  refuse(file_of("{\"a\":" + repeated("[", many)), "nested too deeply");
  refuse(file_of(repeated("{\"a\":", many)), "nested too deeply");
  refuse(file_of("{\"a\":[" + repeated("0,", 1'000'000) + "0]}"), "too many values");
}

TEST_F(Safetensors, RefusesTensorsThatCannotBe) {
  const auto with = [](const std::string& entry) {
    return file_of("{\"t\":" + entry + "}", "12345678");
  };
  const auto entry = [&](const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return with(
        fmt::format(R"({{"dtype":{},"shape":{},"data_offsets":{}}})", dtype, shape, offsets));
  };
  read(write(entry("\"F32\"", "[2]", "[0,8]")));  // what all of these are changed from
  const std::string tensor = "tensor 't': ";
  for (const char* not_one : {"null", "1", "[]", "{}", "\"F32\"",
                              R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1})"}) {
    refuse(with(not_one), tensor + "expected an object of 'dtype', 'shape' and 'data_offsets'");
  }
  refuse(with(R"({"Dtype":"F32","shape":[2],"data_offsets":[0,8]})"), tensor + "it has no 'dtype'");
  refuse(entry("5", "[2]", "[0,8]"), tensor + "it has no 'dtype'");
  refuse(entry("\"F8\\u001b\"", "[2]", "[0,8]"),
         tensor + "element type 'F8\\x1b' is not supported");
  for (const char* shape : {"2", "{}", "[2.0]", "[-2]", "[\"2\"]", "[null]", "[[2]]", "[2e0]",
                            "[9223372036854775808]", "[99999999999999999999]"}) {
    refuse(entry("\"F32\"", shape, "[0,8]"), "'shape' must be a list of non-negative integers");
  }
  refuse(entry("\"F32\"", "[NaN]", "[0,8]"), "the header is not valid JSON");
  refuse(entry("\"F32\"", "[Infinity]", "[0,8]"), "the header is not valid JSON");
  refuse(entry("\"F32\"", "[2]", "[-1,8]"),
         "'data_offsets' must be a list of non-negative integers");
  for (const char* offsets : {"[]", "[0]", "[8,0]", "[0,4,8]"}) {
    refuse(entry("\"F32\"", "[2]", offsets), tensor + "'data_offsets' must be [begin, end]");
  }
  refuse(entry("\"F32\"", "[3]", "[0,8]"), tensor + "F32 of shape [3] does not take 8 bytes");
  refuse(entry("\"F64\"", "[2]", "[0,8]"), tensor + "F64 of shape [2] does not take 8 bytes");
  refuse(entry("\"F32\"", "[4294967296,4294967296]", "[0,0]"), "does not take 0 bytes");
  refuse(entry("\"F64\"", "[2305843009213693952]", "[0,0]"), "does not take 0 bytes");
  for (const char* metadata : {"null", "[]", "\"text\"", R"({"k":1})", R"({"k":null})"}) {
    refuse(file_of(fmt::format("{{\"__metadata__\":{}}}", metadata)),
           "'__metadata__' must be an object of strings");
  }
}

TEST_F(Safetensors, RefusesGapsAndOverlaps) {
  const auto two = [](const std::string& first, const std::string& second, size_t bytes) {
    return file_of(fmt::format(R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":{}}},)"
                               R"("b":{{"dtype":"U8","shape":[2],"data_offsets":{}}}}})",
                               first, second),
                   std::string(bytes, 'x'));
  };
  read(write(two("[2,4]", "[0,2]", 4)));
  refuse(two("[0,2]", "[3,5]", 5), "tensor 'b' begins at byte 3 of the data, expected 2");
  refuse(two("[0,2]", "[1,3]", 3), "tensor 'b' begins at byte 1 of the data, expected 2");
  refuse(two("[0,2]", "[0,2]", 2), "begins at byte 0 of the data, expected 2");
  refuse(two("[1,3]", "[3,5]", 5), "tensor 'a' begins at byte 1 of the data, expected 0");
  refuse(two("[0,2]", "[2,4]", 3), "the tensors take 4 bytes, the file has 3 for them");
  refuse(two("[0,2]", "[2,4]", 5), "the tensors take 4 bytes, the file has 5 for them");
}

TEST_F(Safetensors, SurvivesDamage) {
  write_safetensors(path("good"), all_types());
  const std::string bytes = bytes_of(path("good"));
  expect_refuses_truncations(read, bytes);
  const int refused = expect_survives_damage(read, bytes, 4000);
  EXPECT_GT(refused, 2000);  // most of the file is header
  EXPECT_LT(refused, 4000);  // a flipped bit of an element is another element
}

TEST_F(Safetensors, RefusesToWriteWhatCannotBeRead) {
  write("old");
  const auto message = [&](const std::string& name, DType dtype, std::vector<int64_t> shape) {
    return error_of([&] {
      write_safetensors(path(), {}, {{name, TensorRef{dtype, std::move(shape), nullptr}}});
    });
  };
  const std::string start = path().string() + ": ";
  EXPECT_EQ(message("__metadata__", DType::u8, {0}),
            start + "a tensor cannot be named '__metadata__'");
  EXPECT_EQ(message("a", DType::f32, {int64_t{1} << 62}),
            start + "tensor 'a' of shape [4611686018427387904] is too large");
  EXPECT_EQ(message("a", DType::f32, {-1}), start + "tensor 'a' of shape [-1] is too large");
  expect_contains(message("\xFF", DType::u8, {0}), start + "cannot write its header: ");
  expect_contains(error_of([&] {
                    write_safetensors(path(), {{"k", "\xC3"}}, {});
                  }),
                  start + "cannot write its header: ");
  EXPECT_EQ(bytes_of(path()), "old");
}

}  // namespace
}  // namespace dsf::files_test
