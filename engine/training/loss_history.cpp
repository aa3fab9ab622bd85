#include "engine/training/loss_history.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "engine/files/atomic_file.h"
#include "engine/files/quote.h"
#include "kernels/common/checks.h"

namespace dsf {
namespace {

constexpr std::string_view kHeader = "epoch,training_loss,validation_loss";
constexpr uint64_t kMaxFileSize = 256 << 20;  // some six million evaluations

/// The text up to `separator`, which goes with it, or all of it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

template <class T>
bool parse(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_loss(std::string_view text, float& loss) {
  return parse(text, loss) && std::isfinite(loss);
}

bool parse_line(std::string_view line, Evaluation& evaluation) {
  if (std::ranges::count(line, ',') != 2) return false;
  if (!parse(take_until(line, ','), evaluation.epoch)) return false;
  if (!parse_loss(take_until(line, ','), evaluation.training_loss)) return false;
  if (line.empty()) return true;
  evaluation.validation_loss.emplace();
  return parse_loss(line, *evaluation.validation_loss);
}

}  // namespace

void write_loss_history(const std::filesystem::path& path, const LossHistory& history) {
  std::string text(kHeader);
  text += '\n';
  for (const Evaluation& one : history) {
    fmt::format_to(std::back_inserter(text), "{},{},", one.epoch, one.training_loss);
    if (one.validation_loss) text += fmt::format("{}", *one.validation_loss);
    text += '\n';
  }
  write_file_atomically(path, text);
}

LossHistory read_loss_history(const std::filesystem::path& path, int64_t last_epoch) {
  const std::vector<std::byte> bytes = read_file(path, kMaxFileSize);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  LossHistory history;
  int64_t before = 0;  // the last line's epoch
  for (int64_t number = 1; number == 1 || !text.empty(); ++number) {
    std::string_view line = take_until(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);  // an editor may have put it there
    if (number == 1) {
      if (line == kHeader) continue;
      fail("{}:1: found {}, expected {}", path.string(), quote(line), quote(kHeader));
    }
    Evaluation evaluation;
    if (!parse_line(line, evaluation) || evaluation.epoch <= before) {
      fail("{}:{}: found {}, expected an epoch after {} and its losses, as in \"{},2.75,3.125\"",
           path.string(), number, quote(line), before, before + 1);
    }
    before = evaluation.epoch;
    if (evaluation.epoch <= last_epoch) history.push_back(evaluation);
  }
  return history;
}

}  // namespace dsf
