// Where a stream's commands come from: OSC packets, MIDI messages, lines; and where its sound goes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <oscpack/ip/UdpSocket.h>
#include <oscpack/osc/OscOutboundPacketStream.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "apps/stream/line_source.h"
#include "apps/stream/midi_map.h"
#include "apps/stream/osc_packet.h"
#include "apps/stream/osc_source.h"
#include "apps/stream/pcm_writer.h"
#include "apps/stream/reports.h"
#include "engine/audio/audio_file.h"
#include "kernels/common/checks.h"
#include "tests/expect_error.h"
#include "tests/program.h"

namespace dsf {
namespace {

using testing::expect_error;

const std::vector<std::string> kNames = {"wind", "rain", "strength"};

/// "0=1 2=0.5 over 2"
std::string text_of(const ControlLine& line) {
  std::string text;
  for (const ControlLine::Value& value : line.values) {
    text += fmt::format("{}={:.4g} ", value.index, value.target);
  }
  return text + fmt::format("over {:.4g}", line.seconds);
}

TEST(Reports, AFloodIsCounted) {
  std::vector<std::string> said;
  const auto begin = Reports::Clock::time_point() + std::chrono::hours(1);
  {
    Reports reports([&](const std::string& text) { said.push_back(text); });
    for (int i = 0; i < 100; ++i) reports.add("bad", begin + std::chrono::milliseconds(i));
    EXPECT_EQ(said, std::vector<std::string>(Reports::kMostReports, "bad"));
    said.clear();
    reports.add("worse", begin + std::chrono::seconds(1));
    EXPECT_EQ(said, (std::vector<std::string>{"and 90 more", "worse"}));
    said.clear();
    for (int i = 0; i < 20; ++i) reports.add("bad", begin + std::chrono::seconds(2));
    said.clear();
  }
  EXPECT_EQ(said, std::vector<std::string>{"and 10 more"}) << "at the end";
}

// --- OSC ---

class Packet {
 public:
  template <class Fill>
  explicit Packet(const Fill& fill) {
    osc::OutboundPacketStream stream(buffer_.data(), buffer_.size());
    fill(stream);
    buffer_.resize(stream.Size());
  }
  std::span<const char> bytes() const { return buffer_; }
  std::vector<std::string> lines() const {
    std::vector<std::string> texts;
    for (const ControlLine& line : parse_osc(buffer_, kNames)) texts.push_back(text_of(line));
    return texts;
  }

 private:
  std::vector<char> buffer_ = std::vector<char>(1024);
};

template <class... Values>
Packet message(const char* address, const Values&... values) {
  return Packet([&](osc::OutboundPacketStream& stream) {
    stream << osc::BeginMessage(address);
    (stream << ... << values) << osc::EndMessage;
  });
}

TEST(Osc, MessagesAndBundles) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(message("/wind", 0.25F).lines(), Lines{"0=0.25 over 0"});
  EXPECT_EQ(message("/strength", 1, 2.5F).lines(), Lines{"2=1 over 2.5"});
  EXPECT_EQ(message("/rain", 0.5, osc::int64{3}).lines(), Lines{"1=0.5 over 3"});
  const Packet bundle([](osc::OutboundPacketStream& stream) {
    stream << osc::BeginBundleImmediate << osc::BeginMessage("/wind") << 0.0F << osc::EndMessage
           << osc::BeginBundleImmediate << osc::BeginMessage("/rain") << 1.0F << osc::EndMessage
           << osc::EndBundle << osc::EndBundle;
  });
  EXPECT_EQ(bundle.lines(), Lines{"0=0 1=1 over 0"}) << "together";
  const Packet slower([](osc::OutboundPacketStream& stream) {
    stream << osc::BeginBundleImmediate << osc::BeginMessage("/wind") << 0.0F << osc::EndMessage
           << osc::BeginMessage("/rain") << 1.0F << 2.0F << osc::EndMessage << osc::EndBundle;
  });
  EXPECT_EQ(slower.lines(), (Lines{"0=0 over 0", "1=1 over 2"}));
}

TEST(Osc, AnythingElseIsRefused) {
  const auto refused = [](const Packet& packet, const std::vector<std::string>& parts) {
    expect_error<UsageError>([&] { packet.lines(); }, parts);
  };
  refused(message("/snow", 1.0F), {"'snow'", "wind, rain, strength"});
  refused(message("wind", 1.0F), {"'wind'", "/NAME VALUE"});
  refused(message("/wind"), {"'/wind'", "of types ','"});
  refused(message("/wind", 1.0F, 1.0F, 1.0F), {"of types ',fff'"});
  refused(message("/wind", "loud"), {"type 's'", "expected a number"});
  refused(message("/wind", std::nanf("")), {"expected a number"});
  refused(message("/wind", 2e6F), {"expected a number"});
  refused(message("/wind", 1.0F, -1.0F), {"over -1", "expected seconds"});
  refused(message("/wind", 1.0F, std::nanf("")), {"over nan", "expected seconds"});
  const auto garbage = [](std::string_view bytes) {
    expect_error<UsageError>([&] { parse_osc({bytes.data(), bytes.size()}, kNames); }, {"OSC"});
  };
  garbage("");
  garbage("abc");
  garbage("/wi\0");
  garbage("#bundle\0\0\0\0\0\0\0\0\1\0\0\0\x7f");
  garbage({"/wind\0\0\0,f\0\0\0\0\0\0!", 17});  // something behind the value
  // What oscpack does not survive: a size of −4, and a type of which it reads a size far outside.
  garbage(std::string("#bundle\0\0\0\0\0\0\0\0\1\xff\xff\xff\xfc", 20));
  garbage({"/wind\0\0\0,b\0\0\xff\0\0\2", 16});
  // Cut at every length.
  const Packet whole = message("/wind", 0.25F, 2.0F);
  const std::vector<char> bytes(whole.bytes().begin(), whole.bytes().end());
  for (size_t size = 0; size < bytes.size(); ++size) garbage({bytes.data(), size});
  for (size_t size = 12; size < bytes.size(); ++size) {  // within its two values
    expect_error<UsageError>(
        [&] {
          parse_osc({bytes.data(), size}, kNames);
        },
        {fmt::format("{} bytes are left, expected 4", size % 4)});
  }
}

TEST(Osc, BundlesInBundlesAreBounded) {
  std::vector<char> packet;
  for (int depth = 0; depth < 100; ++depth) {  // from the innermost
    std::vector<char> outer = {'#', 'b', 'u', 'n', 'd', 'l', 'e', 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (!packet.empty()) {
      const auto size = static_cast<unsigned>(packet.size());
      for (int shift = 24; shift >= 0; shift -= 8) {
        outer.push_back(static_cast<char>(size >> shift));
      }
      outer.insert(outer.end(), packet.begin(), packet.end());
    }
    packet = outer;
  }
  expect_error<UsageError>([&] { parse_osc(packet, kNames); }, {"more than 8 bundles"});
}

/// What sources say, from their threads.
class Heard {
 public:
  ControlTarget target() {
    return {kNames, [this](const ControlLine& line) { add(text_of(line)); },
            [this](const std::string& why) { add("refused: " + why); }, [this] { add("ended"); }};
  }
  /// The first `count` of them; fewer where it takes too long.
  std::vector<std::string> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return texts_.size() >= count; });
    return texts_;
  }

 private:
  void add(std::string text) {
    const std::scoped_lock lock(mutex_);
    texts_.push_back(std::move(text));
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
};

/// A port of this machine that nobody listens to: bound, asked for its number, given back.
uint16_t free_port() {
  for (int port = 40'000 + getpid() % 10'000; port < 60'000; ++port) {
    try {
      UdpSocket().Bind(IpEndpointName("127.0.0.1", port));
      return static_cast<uint16_t>(port);
    } catch (const std::runtime_error&) {
      continue;
    }
  }
  return 0;
}

TEST(Osc, ListensOnThisMachine) {
  Heard heard;
  const uint16_t port = free_port();
  const auto source = listen_to_osc(port, heard.target());
  UdpTransmitSocket socket(IpEndpointName("127.0.0.1", port));
  for (const Packet& packet : {message("/wind", 0.25F), message("/snow", 1.0F)}) {
    socket.Send(packet.bytes().data(), packet.bytes().size());
  }
  const std::vector<std::string> texts = heard.wait_for(2);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0], "0=0.25 over 0");
  EXPECT_NE(texts[1].find("refused: 'snow'"), std::string::npos) << texts[1];
  expect_error<Error>([&] { listen_to_osc(port, heard.target()); },
                      {fmt::format("--osc {}", port), "in use"});
}

// --- MIDI ---

MidiMap map_of(std::string_view text) {
  return {text, "midi.yaml", kNames, 2};
}

std::string followed(const MidiMap& map, const std::vector<unsigned char>& bytes) {
  return text_of(map.follow(bytes));
}

TEST(MidiMap, ControllersAndNotes) {
  const MidiMap map = map_of(
      "port: nano\nchannel: 2\nover: 0.5\n"
      "controllers:\n  1: strength\n  74: {control: wind, from: 1, to: -1, over: 2}\n"
      "notes: {60: rain}\n");
  EXPECT_EQ(map.port(), "nano");
  EXPECT_EQ(followed(map, {0xB1, 1, 127}), "2=1 over 0.5");
  EXPECT_EQ(followed(map, {0xB1, 1, 0}), "2=0 over 0.5");
  EXPECT_EQ(followed(map, {0xB1, 74, 0}), "0=1 over 2");
  EXPECT_EQ(followed(map, {0xB1, 74, 127}), "0=-1 over 2");
  EXPECT_EQ(followed(map, {0x91, 60, 100}), "0=0 1=1 over 0.5");
  for (const std::vector<unsigned char>& nothing :
       std::vector<std::vector<unsigned char>>{{},
                                               {0xB1, 1},
                                               {0xB0, 1, 5},
                                               {0xB1, 2, 5},
                                               {0x91, 61, 5},
                                               {0x91, 60, 0},
                                               {0x81, 60, 5},
                                               {0xB1, 200, 5},
                                               {0xB1, 1, 200},
                                               {0xF8},
                                               {0xF0, 1, 2, 3}}) {
    EXPECT_EQ(followed(map, nothing), "over 0");
  }
  EXPECT_EQ(followed(map_of("controllers: {0: wind}"), {0xBF, 0, 127}), "0=1 over 0");
}

TEST(MidiMap, TheExampleIsOfTheBundledModel) {
  const std::string file = std::string(DSF_SOURCE_DIR) + "/configs/midi/textures.yaml";
  const std::vector<std::string> names = {"DSPistons", "DSWind", "DSApplause", "DSBugs", "param1"};
  const MidiMap map(testing::read_text(file), file, names, 4);
  EXPECT_EQ(followed(map, {0xB0, 1, 127}), "4=1 over 0.05");
  EXPECT_EQ(followed(map, {0x90, 62, 1}), "0=0 1=1 2=0 3=0 over 0.05");
}

TEST(MidiMap, WhatIsWrongIsSaid) {
  const auto refused = [](std::string_view text, const std::vector<std::string>& parts) {
    expect_error<UsageError>([&] { map_of(text); }, parts);
  };
  refused("", {"midi.yaml", "a MIDI map", "a map"});
  refused("over: 1", {"midi.yaml", "neither controllers nor notes"});
  refused("keys: {}", {"midi.yaml:1", "'keys'", "controllers or notes"});
  refused("controllers:\n  1: snow", {"midi.yaml:2", "'snow'", "wind, rain, strength"});
  refused("controllers:\n  128: wind", {"midi.yaml:2", "'128'", "0 to 127"});
  refused("controllers:\n  1.5: wind", {"'1.5'", "0 to 127"});
  refused("controllers:\n  1: [wind]", {"midi.yaml:2", "a list", "a name"});
  refused("controllers:\n  1: wind\n  1: rain", {"midi.yaml:3", "given twice"});
  refused("controllers:\n  1: wind\n  01: rain", {"midi.yaml:3", "controller '01'", "given twice"});
  refused("channel: 1.5\nnotes: {}", {"'1.5'", "1 to 16"});
  refused("controllers:\n  1: {from: 0}", {"midi.yaml:2", "without a control"});
  refused("controllers:\n  1: {control: wind, to: high}", {"'high'", "a number"});
  refused("controllers:\n  1: {control: wind, speed: 1}", {"'speed'", "control, from, to"});
  refused("controllers: 7", {"'7'", "a map"});
  refused("notes:\n  60: strength", {"midi.yaml:2", "'strength'", "a class"});
  refused("channel: 17\nnotes: {}", {"'17'", "1 to 16"});
  refused("over: -1\nnotes: {}", {"'-1'", "0 to 86400"});
  refused("port: [a]\nnotes: {}", {"a list", "part of a port's name"});
}

// --- Lines ---

TEST(ControlLines, AreReadAsTheyCome) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Heard heard;
  const auto source = read_control_lines(ends[0], heard.target());
  const auto put = [&](const std::string& text) {
    ASSERT_EQ(write(ends[1], text.data(), text.size()), std::ssize(text));
  };
  put("wind=1\nra");
  EXPECT_EQ(heard.wait_for(1), std::vector<std::string>{"0=1 over 0"});
  put("in=0.5 over 2s\nsnow=1\n" + std::string(5000, 'x') + "\nstrength=0.25");
  EXPECT_EQ(heard.wait_for(4).size(), 4U);
  close(ends[1]);  // the last line has no end
  const std::vector<std::string> texts = heard.wait_for(6);
  ASSERT_EQ(texts.size(), 6U);
  EXPECT_EQ(texts[1], "1=0.5 over 2");
  EXPECT_NE(texts[2].find("refused: 'snow'"), std::string::npos) << texts[2];
  EXPECT_NE(texts[3].find("more than 4096 bytes"), std::string::npos) << texts[3];
  EXPECT_EQ(texts[4], "2=0.25 over 0");
  EXPECT_EQ(texts[5], "ended");
  close(ends[0]);
}

// --- Sound ---

const std::atomic<bool> kNever{false};

std::string written(PcmFormat format, std::optional<int64_t> samples,
                    const std::vector<std::vector<float>>& chunks) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  std::string bytes;
  std::thread reader([&] {
    char part[777];
    ssize_t count = 0;
    while ((count = read(ends[0], part, sizeof part)) > 0) {
      bytes.append(part, static_cast<size_t>(count));
    }
  });
  PcmWriter writer(ends[1], format, 44100, samples);
  for (const std::vector<float>& chunk : chunks) EXPECT_TRUE(writer.write(chunk, kNever));
  close(ends[1]);
  reader.join();
  close(ends[0]);
  return bytes;
}

TEST(PcmWriter, RawSamples) {
  EXPECT_EQ(written(PcmFormat::s16, {}, {{0, 1, -1}, {}, {0.5F, 2}}),
            std::string("\0\0\xff\x7f\x01\x80\0\x40\xff\x7f", 10));
  EXPECT_EQ(written(PcmFormat::f32, {}, {{1, -2}}), std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
  std::vector<float> many(100'000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i % 1000) / 1000;
  const std::string bytes = written(PcmFormat::f32, {}, {many});
  ASSERT_EQ(bytes.size(), 4 * many.size());
  EXPECT_EQ(std::memcmp(bytes.data(), many.data(), bytes.size()), 0);
}

TEST(PcmWriter, AWavIsOneToOthers) {
  const std::vector<float> sound = {0, 0.25F, -0.5F, 1};
  const std::string bytes = written(PcmFormat::wav, std::ssize(sound), {sound});
  char name[] = "/tmp/dsf_pcm_XXXXXX";
  const int file = mkstemp(name);
  ASSERT_EQ(write(file, bytes.data(), bytes.size()), std::ssize(bytes));
  close(file);
  const Audio audio = read_audio(name);
  unlink(name);
  EXPECT_EQ(audio.sample_rate, 44100);
  EXPECT_EQ(audio.channels, 1);
  ASSERT_EQ(audio.samples.size(), sound.size());
  for (size_t i = 0; i < sound.size(); ++i) EXPECT_NEAR(audio.samples[i], sound[i], 1e-4);

  const std::string endless = written(PcmFormat::wav, {}, {});
  EXPECT_EQ(endless, "") << "nothing before the first samples";
  const std::string begun = written(PcmFormat::wav, {}, {{}});
  ASSERT_EQ(begun.size(), 44U);
  EXPECT_EQ(begun.substr(4, 4) + begun.substr(40), std::string(8, '\xff'));
  const std::string too_long = written(PcmFormat::wav, int64_t{1} << 40, {{}});
  EXPECT_EQ(too_long, begun);
}

TEST(PcmWriter, AFileSaysWhatIsInIt) {
  for (const std::optional<int64_t> said : {std::optional<int64_t>(), std::optional<int64_t>(99)}) {
    char name[] = "/tmp/dsf_pcm_XXXXXX";
    const int file = mkstemp(name);
    PcmWriter writer(file, PcmFormat::wav, 44100, said);
    EXPECT_TRUE(writer.write(std::vector<float>{0, 0.5F, 1}, kNever));
    writer.finish();
    close(file);
    EXPECT_EQ(read_audio(name).samples.size(), 3U);
    EXPECT_EQ(testing::read_text(name).size(), 50U);
    unlink(name);
  }
}

TEST(PcmWriter, EndsWithItsReaderOrOnRequest) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  PcmWriter writer(ends[1], PcmFormat::s16, 44100, {});
  const std::vector<float> second(44100, 0.5F);
  std::atomic<bool> stop{false};
  std::thread stopper([&] {
    usleep(50'000);
    stop = true;
  });
  EXPECT_FALSE(writer.write(second, stop)) << "nobody reads";
  stopper.join();
  close(ends[0]);
  EXPECT_FALSE(writer.write(second, kNever)) << "nobody can read";
  close(ends[1]);
  std::signal(SIGPIPE, SIG_DFL);
  const int full = open("/dev/full", O_WRONLY);
  PcmWriter refused(full, PcmFormat::s16, 44100, {});
  expect_error<Error>([&] { refused.write(second, kNever); }, {"standard output", "space"});
  close(full);
  expect_error<UsageError>([] { parse_pcm_format("mp3"); }, {"'mp3'", "wav, s16 or f32"});
}

}  // namespace
}  // namespace dsf
