// Tensors in pickles: numpy's arrays and scalars, torch's views of an archive's storages.
#include "tests/pickle_opcodes.h"

namespace dsf::files_test {
namespace {

TEST(PickleTensors, NumpyArrays) {
  const std::string elements = bytes("\1\0\2\0\3\0\4\0\5\0\6\0"s);
  const auto value = [&](const std::string& fortran) {
    const PickleValue array =
        read(whole(numpy_array("K\x02K\x03\x86", numpy_dtype("u2"), elements, fortran)));
    EXPECT_EQ(array.as_tensor().shape, (std::vector<int64_t>{2, 3}));
    return to_int32(array.as_tensor());
  };
  EXPECT_EQ(value("\x89"), (std::vector<int32_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(value("\x88"), (std::vector<int32_t>{1, 3, 5, 2, 4, 6}));
  const std::string scalar = global("numpy.core.multiarray", "scalar");
  EXPECT_EQ(
      to_floats(read(whole(scalar + numpy_dtype("f8") + bytes("\0\0\0\0\0\0\xF8\x3F"s) + "\x86R"))
                    .as_tensor()),
      std::vector<float>{1.5F});
  // Bytes as protocol 2 writes them: latin1 text in UTF-8.
  const std::string encoded =
      global("_codecs", "encode") + text("\x7F\xC2\x80\xC3\xBF") + text("latin1") + "\x86R";
  EXPECT_EQ(
      to_int32(read(whole(numpy_array("K\x03\x85", numpy_dtype("u1", "|"), encoded))).as_tensor()),
      (std::vector<int32_t>{127, 128, 255}));
  EXPECT_EQ(read(whole(numpy_array("K\x02\x85", numpy_dtype("O8", "|"),
                                   "](NK\x07"
                                   "e")))[1]
                .as_int(),
            7);
}

TEST(PickleTensors, RefusesUnusableNumpyArrays) {
  const std::string six = bytes("123456");
  refuse(numpy_dtype("V8"), "numpy data type 'V8' is not supported");
  refuse(numpy_dtype("u2", ">"), "has byte order '>', expected little-endian");
  refuse(numpy_dtype("u1", "<"), "has byte order '<', expected little-endian");
  refuse(numpy_array("K\x03\x85", global("numpy", "dtype") + text("u2") + "\x85R", six),
         "a numpy data type was not given its byte order");
  const std::string u2 = numpy_dtype("u2");
  refuse(numpy_array("K\x04\x85", u2, six), "a numpy array of U16 and shape [4] has 6 bytes");
  refuse(numpy_array("J"s + raw(-3) + "\x85", u2, six), "of U16 and shape [-3] has 6 bytes");
  const std::string huge = "\x8A\x08"s + raw(INT64_MAX);
  refuse(numpy_array(huge + huge + "\x86", u2, six), "9223372036854775807] has 6 bytes");
  refuse(numpy_array(huge + "\x8A\x08" + raw(INT64_MIN) + "\x86", u2, six), "has 6 bytes");
  refuse(numpy_array("K\x03", u2, six), "the shape of a numpy array is an integer");
  refuse(numpy_array("N\x85", u2, six), "the shape of a numpy array is None");
  refuse(numpy_array("("s + repeated("K\x01", 17) + "t", u2, six), "has 17 axes");
  refuse(numpy_array("K\x03\x85", "N", six), "the data type of a numpy array is None");
  refuse(numpy_array("K\x03\x85", u2, six, "N"), "the order of a numpy array is None");
  refuse(numpy_array("K\x03\x85", u2, "]"), "the elements of a numpy array is a list");
  refuse(numpy_array("K\x03\x85", numpy_dtype("O8", "|"), six), "is bytes");
  refuse(numpy_array("K\x03\x85", numpy_dtype("O8", "|"), "]Na"), "of shape [3] has 1 elements");
  refuse(global("numpy.core.multiarray", "scalar") + numpy_dtype("O8", "|") + six + "\x86R",
         "a numpy scalar is a Python object");
  refuse(global("numpy.core.multiarray", "scalar") + numpy_dtype("f8") + six + "\x86R",
         "of F64 and shape [] has 6 bytes");
  const auto encode = [](const std::string& characters, const std::string& codec) {
    return global("_codecs", "encode") + text(characters) + text(codec) + "\x86R";
  };
  refuse(encode("x", "utf-8"), "_codecs.encode to 'utf-8', expected latin1");
  refuse(encode("€", "latin1"), "a character of '€' is not in latin1");
  refuse(encode("\xC3", "latin1"), "is not in latin1");
}

/// An archive of torch's with one storage, "k", of six bytes.
class SmallArchive : public StorageArchive {
 public:
  std::vector<std::byte> load(const std::string& key) const override {
    if (key != "k") fail("file: no storage {}", key);
    std::vector<std::byte> content;
    for (int i = 1; i <= 6; ++i) content.push_back(static_cast<std::byte>(i));
    return content;
  }
  uint64_t total_bytes() const override { return 6; }
};

TEST(PickleTensors, TorchTensors) {
  const SmallArchive archive;
  const std::string bytes_6 = storage("ByteStorage", "k", "K\x06");
  const auto values = [&](const std::string& opcodes) {
    return to_int32(read(whole(opcodes), &archive).as_tensor());
  };
  EXPECT_EQ(values(torch_tensor(bytes_6, "K\0"s, "K\x02K\x03\x86", "K\x01K\x02\x86")),
            (std::vector<int32_t>{1, 3, 5, 2, 4, 6}));
  const std::string parameter = global("torch._utils", "_rebuild_parameter") +
                                torch_tensor(bytes_6, "K\x04", "K\x02\x85", "K\x01\x85") + "\x85R";
  EXPECT_EQ(values(parameter), (std::vector<int32_t>{5, 6}));
  EXPECT_EQ(values(torch_tensor(storage("ShortStorage", "k", "K\x03"), "K\x02", ")", ")")),
            std::vector<int32_t>{0x0605});
}

TEST(PickleTensors, RefusesUnusableTorchTensors) {
  const SmallArchive archive;
  const auto refuse_torch = [&](const std::string& opcodes, const std::string& part) {
    const std::string message = error_of([&] { read(whole(opcodes), &archive); });
    EXPECT_EQ(message.rfind("file: ", 0), 0U) << message;
    expect_contains(message, part);
  };
  const std::string good = storage("ByteStorage", "k", "K\x06");
  const std::string one = "K\x01\x85", zero = "K\0"s;
  refuse(torch_tensor(good, zero, one, one), "it has tensors of torch, but no archive");
  refuse_torch(good, "a storage stands where plain data is expected");
  const auto in = [&](const std::string& kept) { return torch_tensor(kept, zero, one, one); };
  refuse_torch(in(storage("ByteStorage", "other", "K\x06")), "no storage other");
  refuse_torch(in(storage("ByteStorage", "k", "K\x07")),
               "storage 'k': it has 6 bytes, expected 7 elements of U8");
  refuse_torch(in(storage("IntStorage", "k", "K\x01")),
               "storage 'k': it has 6 bytes, expected 1 elements of I32");
  refuse_torch(in(storage("ByteStorage", "k", "J"s + raw(-1))), "no storage has key 'k' and -1");
  refuse_torch(in(storage("ByteStorage", std::string(256, 'k'), "K\x06")), "no storage has key");
  refuse_torch(in(storage("Size", "k", "K\x06")), "no storage has key 'k' and 6 elements");
  refuse_torch(in("("s + text("module") + "NNNNtQ"), "a persistent id is not that of a storage");
  refuse_torch(in(text("storage") + "\x85Q"), "a persistent id has 1 entries, expected at least 5");
  refuse_torch(in(text("x") + "Q"), "a persistent id is a string");
  refuse_torch(torch_tensor(good, "J"s + raw(-1), one, one), "the offset of a tensor is -1");
  refuse_torch(torch_tensor(good, "K\x06", one, one), "reaches outside a storage of 6 elements");
  refuse_torch(torch_tensor(good, zero, "K\x07\x85", one), "reaches outside a storage");
  refuse_torch(torch_tensor(good, zero, one, "J"s + raw(-1) + "\x85"),
               "is not a tensor of at most");
  refuse_torch(torch_tensor(good, zero, one, ")"), "is not a tensor of at most");
  refuse_torch(
      torch_tensor(good, zero, "\x8A\x05"s + std::string("\0\0\0\0\x01", 5) + "\x85", "K\0\x85"s),
      "is larger than this file can justify");
  refuse_torch(torch_tensor(good, zero, "J"s + raw(-1) + "\x85", one),
               "than this file can justify");
  // Tensors without elements, each of five bytes, recalled a million times.
  std::string many = "("s + good + "q\0"s + global("torch._utils", "_rebuild_tensor_v2") +
                     "q\x01(h\0K\0("s + repeated("K\0"s, 16) + "t(" + repeated("K\0"s, 16) +
                     "tN)tq\x02"s + repeated("h\x01h\x02R", 100'000) + "t";
  refuse_torch(many, "its data are larger than this file can justify");
}

}  // namespace
}  // namespace dsf::files_test
