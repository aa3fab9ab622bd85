// The pickle interpreter: what it reads, and that hostile pickles are refused, each by name.
#include "engine/files/pickle.h"

#include <cmath>

#include "engine/files/pickle_writer.h"
#include "tests/pickle_opcodes.h"

namespace dsf::files_test {
namespace {

TEST(Pickle, Scalars) {
  EXPECT_TRUE(read(whole("N")).is_none());
  EXPECT_TRUE(read(whole("\x88")).as_bool());
  EXPECT_FALSE(read(whole("\x89")).as_bool());
  EXPECT_EQ(read(whole("K\xFF")).as_int(), 255);
  EXPECT_EQ(read(whole("M\xFF\xFF")).as_int(), 65535);
  EXPECT_EQ(read(whole("J\xFE\xFF\xFF\xFF")).as_int(), -2);
  EXPECT_EQ(read(whole("\x8A\0"s)).as_int(), 0);
  EXPECT_EQ(read(whole("\x8A\x01\x80")).as_int(), -128);
  EXPECT_EQ(read(whole("\x8A\x08"s + raw(INT64_MIN))).as_int(), INT64_MIN);
  EXPECT_EQ(read(whole("\x8B\x02\0\0\0\0\x80"s)).as_int(), -32768);
  EXPECT_EQ(read(whole("G\xC0\x04\0\0\0\0\0\0"s)).as_double(), -2.5);
  EXPECT_EQ(read(whole("K\x07")).as_double(), 7);
  EXPECT_TRUE(std::isnan(read(whole("G\x7F\xF8\0\0\0\0\0\1"s)).as_double()));
  EXPECT_EQ(read(whole("\x8C\x03"
                       "a\nb"))
                .as_string(),
            "a\nb");
  EXPECT_EQ(read(whole(text("ü"))).as_string(), "ü");
  EXPECT_EQ(read(whole("\x8D"s + raw(uint64_t{2}) + "ab")).as_string(), "ab");
  for (int protocol = 2; protocol <= 5; ++protocol) {
    EXPECT_TRUE(read("\x80"s + std::string(1, static_cast<char>(protocol)) + "N.").is_none());
  }
}

TEST(Pickle, Containers) {
  // {'a': [1, (2, 3)], 7: (), 'd': {}} in the order of the file
  const PickleValue value = read(whole("}("s + text("a") +
                                       "](K\x01K\x02K\x03\x86"
                                       "eK\x07)"s +
                                       text("d") + global("collections", "OrderedDict") + ")Ru"));
  ASSERT_TRUE(value.is_dict());
  ASSERT_EQ(value.size(), 3U);
  const PickleValue list = value.at("a");
  EXPECT_TRUE(list.is_list());
  EXPECT_EQ(list[0].as_int(), 1);
  EXPECT_EQ(list[1].as_ints(), (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(value.at("d").is_dict());
  const auto entries = value.entries();
  EXPECT_EQ(entries[1].first.as_int(), 7);
  EXPECT_EQ(entries[1].second.size(), 0U);
  EXPECT_FALSE(value.find("b"));
  EXPECT_EQ(read(whole("]K\x05"
                       "a"))
                .as_ints(),
            std::vector<int64_t>{5});
  EXPECT_EQ(read(whole("}"s + text("k") + "K\x05s")).at("k").as_int(), 5);
  EXPECT_EQ(read(whole("(K\x01K\x02K\x03K\x04t")).size(), 4U);
  EXPECT_EQ(read(whole(global("torch", "Size") + "K\x05\x85\x85R")).as_ints(),
            std::vector<int64_t>{5});
}

TEST(Pickle, AccessorsSayPlaceFoundAndExpected) {
  const PickleValue value =
      read(whole("}("s + text("sizes") + "}" + text("width") + text("x") + "s" + text("list") +
                 "](K\x01"
                 "NeK\x05Nu"));
  const auto message = [](const std::function<void()>& action) { return error_of(action); };
  EXPECT_EQ(message([&] { value.at("sizes").at("width").as_int(); }),
            "file: 'sizes'/'width': expected an integer, found a string");
  EXPECT_EQ(message([&] { value.at("list").as_ints(); }),
            "file: 'list'/[1]: expected an integer, found None");
  EXPECT_EQ(message([&] { value.at("list")[2]; }),
            "file: 'list': expected at least 3 entries, found 2");
  EXPECT_EQ(message([&] { value.at("other"); }),
            "file: it has no 'other'; it has: 'sizes', 'list', 5");
  EXPECT_EQ(message([&] { value.at("list").at("x"); }),
            "file: 'list': expected a dictionary, found a list");
  EXPECT_EQ(message([&] { value.as_string(); }), "file: expected a string, found a dictionary");
  EXPECT_EQ(message([&] { value.at("list").as_double(); }),
            "file: 'list': expected a number, found a list");
  EXPECT_EQ(message([&] { value.at("list").as_bool(); }),
            "file: 'list': expected a boolean, found a list");
  EXPECT_EQ(message([&] { value.at("list").as_tensor(); }),
            "file: 'list': expected a tensor, found a list");
  EXPECT_EQ(message([&] { value[0]; }), "file: expected a list, found a dictionary");
  EXPECT_EQ(message([&] { value.at("list")[0].size(); }),
            "file: 'list'/[0]: expected a container, found an integer");
}

// Nothing but the allow-list can be named, by either opcode.
TEST(Pickle, RefusesForbiddenCallables) {
  const std::pair<const char*, const char*> forbidden[] = {
      {"os", "system"},
      {"posix", "system"},
      {"nt", "system"},
      {"subprocess", "Popen"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"builtins", "getattr"},
      {"__builtin__", "eval"},
      {"builtins", "__import__"},
      {"sys", "exit"},
      {"importlib", "import_module"},
      {"torch", "load"},
      {"torch.hub", "load"},
      {"torch", "_utils._rebuild_tensor_v2"},
      {"numpy", "load"},
      {"numpy", "save"},
      {"numpy.core.multiarray", "fromstring"},
      {"collections", "Counter"},
      {"_codecs", "decode"},
      {"", ""},
      {"collections ", "OrderedDict"},
      {"torch._utils", "_rebuild_tensor_v2\x1B[2J"}};
  for (const auto& [module, name] : forbidden) {
    const std::string call = text("echo harm") + "\x85R";
    refuse(global(module, name) + call, "byte 2: the callable '"s + std::string(module) + ".");
    refuse(text(module) + text(name) + "\x93" + call,
           "is not allowed: only plain data, numpy "
           "arrays and torch tensors are");
  }
  // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1, EXT2, EXT4, PERSID call or load, too.
  for (const std::string& opcode : {"(S'x'\nios\nsystem\n"s, "o"s, "\x81"s, "\x92"s, "\x82\x01"s,
                                    "\x83\x01\x01"s, "\x84\x01\x01\x01\x01"s, "Px\n"s}) {
    refuse(opcode, "is not supported");
  }
}

TEST(Pickle, RefusesMisusedCallables) {
  const std::string shell = global("numpy.core.multiarray", "_reconstruct");
  refuse(text("os.system") + text("x") + "\x85R", "what is called is a string");
  refuse(global("numpy", "ndarray") + ")R", "a class is called that only names a type");
  refuse(global("torch", "FloatStorage") + ")R", "a class is called that only names a type");
  refuse(global("collections", "OrderedDict") + "]R", "the argument list is a list");
  refuse(global("collections", "OrderedDict") + "]\x85R", "has 1 arguments, expected none");
  refuse(shell + ")R", "_reconstruct has 0 entries, expected at least 1");
  refuse(shell + global("torch", "Size") + "\x85R", "_reconstruct of something else");
  refuse(global("torch", "Size") + "N\x85R", "torch.Size's argument is None");
  refuse(global("torch._utils", "_rebuild_parameter") + "N\x85R", "a parameter's data is None");
  refuse(global("torch._utils", "_rebuild_tensor_v2") + "(NK\0))tR"s,
         "the storage of a tensor is None");
  refuse("K\x01}b", "an integer cannot be given a state");
  refuse("]}b", "a list cannot be given a state");
  refuse(global("collections", "OrderedDict") + ")RNb", "the state of a dictionary is None");
  // What only serves to build must not be left over as a value.
  refuse(global("numpy", "ndarray"), "a callable stands where plain data is expected");
  refuse("]" + global("numpy", "dtype") + "a", "a callable stands where plain data is expected");
  refuse(numpy_dtype("f4"), "a numpy data type stands where plain data is expected");
  refuse(shell + global("numpy", "ndarray") + "\x85R", "an unfinished numpy array stands where");
}

TEST(Pickle, RefusesBrokenStructure) {
  const auto message = [](const std::string& pickle) { return error_of([&] { read(pickle); }); };
  EXPECT_EQ(message(""), "file: byte 0: 1 bytes are expected, 0 are left");
  EXPECT_EQ(message("K\x01."),
            "file: byte 0: not a pickle of protocol 2 or later: it begins with "
            "0x4b");
  EXPECT_EQ(message("\x80\x01N."), "file: byte 0: pickle protocol 1 is not supported: 2 to 5 are");
  EXPECT_EQ(message("\x80\x06N."), "file: byte 0: pickle protocol 6 is not supported: 2 to 5 are");
  EXPECT_EQ(message("\x80\x04N.x"), "file: byte 3: the pickle ends, but 1 bytes follow");
  EXPECT_EQ(message("\x80\x04."), "file: byte 2: the pickle ends with 0 values, expected 1");
  EXPECT_EQ(message("\x80\x04NN."), "file: byte 4: the pickle ends with 2 values, expected 1");
  EXPECT_EQ(message("\x80\x04N(."), "file: byte 4: the pickle ends with 1 values, expected 1");
  refuse("a", "byte 2: the stack has too few values");
  refuse(
      "K\x01"
      "a",
      "the stack is empty");
  refuse(
      "K\x01("
      "a",
      "the stack has too few values");  // a mark guards what is below it
  refuse(
      "NK\x01"
      "a",
      "what is appended to is None");
  refuse("e", "there is no mark on the stack");
  refuse("t", "there is no mark on the stack");
  refuse("N\x87", "the stack has too few values");
  refuse("](K\x01t", "the pickle ends with 2 values");
  refuse("](K\x01u", "what is given keys is a list");
  refuse("}(K\x01u", "a key has no value");
  refuse("h\x05", "memo 5 was never stored");
  refuse("j\xFF\xFF\xFF\xFF", "memo 4294967295 was never stored");
  refuse("q\x01", "the stack is empty");
  EXPECT_TRUE(read(whole("\x95"s + raw(uint64_t{2}) + "N")).is_none());
  refuse("\x95"s + raw(UINT64_MAX) + "N", "a frame of 18446744073709551615 bytes, 2 are left");
  refuse("\xFF", "opcode 0xff is not supported");
  refuse("c"s + std::string(300, 'x'), "a name is longer than 256 bytes");
}

TEST(Pickle, RefusesSizesThatAreNotThere) {
  for (const std::string& opcode :
       {"X"s + raw(UINT32_MAX), "B"s + raw(UINT32_MAX), "\x8D"s + raw(UINT64_MAX),
        "\x8D"s + raw(uint64_t{1} << 40), "\x8E"s + raw(UINT64_MAX), "\x8C\xFF"s, "C\xFF"s,
        "\x8B"s + raw(UINT32_MAX), "\x8A\xFF"s}) {
    refuse(opcode + "abc", " bytes are expected, 4 are left");
  }
  refuse("\x8A\x09"s + std::string(9, '\x01'), "an integer has 9 bytes, at most 8");
}

TEST(Pickle, RefusesCyclesAndDepth) {
  const std::string cycle = "a value contains itself";
  refuse("]q\0h\0a"s, cycle);
  refuse("]\x94(h\0e"s, cycle);
  refuse("}q\0K\x01h\0s"s, cycle);
  refuse(
      "]q\0h\0\x85q\x01"
      "a"s,
      cycle);  // a list of a tuple of the list
  refuse(
      "]q\0]q\x01h\0"
      "aa"s,
      cycle);  // two lists of each other
  refuse(numpy_array(")", numpy_dtype("O8", "|"), "]q\0h\0a"s), cycle);
  refuse(global("numpy.core.multiarray", "_reconstruct") + global("numpy", "ndarray") +
             "\x85Rq\0(K\x01)"s + numpy_dtype("O8", "|") + "\x89]h\0atb"s,
         cycle);  // an array that is its own element

  EXPECT_EQ(read(whole(repeated("]", 60) + repeated("a", 59))).size(), 1U);
  refuse(repeated("]", 100) + repeated("a", 99), "values are nested more than 64 deep");
  refuse(repeated("]", 100'000) + repeated("a", 99'999), "values are nested more than 64 deep");
  refuse("N"s + repeated("\x85", 100'000), "values are nested more than 64 deep");
  // Depth by sharing: every list is met before it grows.
  std::string chain = "](N\x85q\0"s;
  for (int i = 0; i < 100; ++i) chain += "h\0\x85q\0"s;
  refuse(chain + "e", "values are nested more than 64 deep");
}

TEST(Pickle, RefusesBombs) {
  // Ten lists, each of ten references to the one before: 10¹⁰ values if written out.
  std::string laughs = "]q\0"s;
  for (int i = 0; i < 10; ++i) laughs += "]("s + repeated("h\0"s, 10) + "eq\0"s;
  refuse("("s + laughs + "t", "more than 2000000 values");
  refuse(repeated("N", 2'000'001), "more than 2000000 values");
  refuse("N"s + repeated("q\0"s, 4'000'001), "more than 4000000 opcodes");
  // One stored text, encoded to new bytes again and again.
  const std::string call = "h\0h\x01R"s;
  refuse("(" + global("_codecs", "encode") + "q\0"s + text(std::string(100'000, 'x')) +
             text("latin1") + "\x86q\x01"s + repeated(call, 100) + "t",
         "its data are larger than this file can justify");
}

TEST(Pickle, RefusesUnusableKeys) {
  refuse("}(K\x01NK\x01Nu", "a dictionary has the key 1 twice");
  refuse("}("s + text("\n") + "N" + text("\n") + "Nu", "a dictionary has the key '\\x0a' twice");
  refuse("}(NNu", "a dictionary has None as a key, expected a string or an integer");
  refuse("})Ns", "a dictionary has a tuple as a key");
  refuse("}\x88Ns", "a dictionary has a boolean as a key");
}

// Every prefix of a pickle that uses most opcodes, and the pickle damaged.
TEST(Pickle, SurvivesDamage) {
  const std::string good = whole(
      "}("s + text("array") +
      numpy_array("K\x02K\x03\x86", numpy_dtype("u2"), bytes("abcdefABCDEF"), "\x88") +
      text("ints") + "](K\x01M\x02\x01J" + raw(-5) + "\x8A\x02\x01\x02\x88\x89NG" + raw(1.0) + "e" +
      text("empty") + global("collections", "OrderedDict") + ")R}b" + text("same") + "h\0"s + "u");
  const std::string pickle = replaced(good, "}(", "}\x94(");
  EXPECT_THROW(read(pickle), Error);  // 'same' is the dictionary itself
  const std::string valid = replaced(pickle, "h\0u"s, "Nu");
  EXPECT_EQ(read(valid).size(), 4U);
  for (size_t size = 0; size < valid.size(); ++size) {
    EXPECT_THROW(read(valid.substr(0, size)), Error) << size;
  }
  int refused = 0;
  for (size_t at = 0; at < valid.size(); ++at) {
    for (size_t byte = at % 5; byte < 256; byte += 5) {
      std::string damaged = valid;
      damaged[at] = static_cast<char>(byte);
      try {
        read(damaged);
      } catch (const Error& error) {
        ++refused;
        EXPECT_EQ(std::string(error.what()).rfind("file: ", 0), 0U) << error.what();
      }
    }
  }
  EXPECT_GT(refused, 5'000);
}

TEST(PickleWriter, IsReadBack) {
  PickleWriter writer;
  writer.empty_dict();
  writer.mark();
  const int64_t integers[] = {
      0, 255, 256, 65535, 65536, -1, INT32_MIN, INT32_MAX, int64_t{1} << 31, INT64_MIN, INT64_MAX};
  writer.text("integers");
  writer.mark();
  for (const int64_t value : integers) writer.integer(value);
  writer.tuple_from_mark();
  writer.text("more");
  writer.none();
  writer.boolean(true);
  writer.text("integers");  // recalled
  writer.tuple(3);
  writer.text("list");
  writer.empty_list();
  writer.empty_tuple();
  writer.append();
  writer.set_items();
  const PickleValue value = read(writer.finish());
  EXPECT_EQ(value.at("integers").as_ints(),
            std::vector<int64_t>(std::begin(integers), std::end(integers)));
  EXPECT_TRUE(value.at("more")[0].is_none());
  EXPECT_TRUE(value.at("more")[1].as_bool());
  EXPECT_EQ(value.at("more")[2].as_string(), "integers");
  EXPECT_EQ(value.at("list")[0].size(), 0U);
}

}  // namespace
}  // namespace dsf::files_test
