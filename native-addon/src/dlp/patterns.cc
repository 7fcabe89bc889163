#include "dlp/patterns.h"

#include <string.h>

#include <algorithm>
#include <random>

#include "dlp/offset_trail.h"
#include "dlp/patterns_context.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kBehind = 1024;   // before what is looked at: the context, a match of an automaton
constexpr size_t kAhead = 1536;    // behind what is looked at: the longest match and its context
constexpr size_t kContext = 512;   // bytes each side in which words are sought
constexpr size_t kLongest = 256;   // bytes of a match of an automaton
constexpr size_t kSlice = 32 * 1024;  // looked at together, so that it is still in the cache
constexpr size_t kTrim = 64 * 1024;
constexpr size_t kMaxDistinct = 4096;

// What may stand in the local part of an address, and behind the @.
struct AddressBytes {
  bool local[256] = {}, domain[256] = {};
  constexpr AddressBytes() {
    for (int c = 0; c < 256; c++) {
      const bool word = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
      local[c] = word || c == '.' || c == '_' || c == '-' || c == '+' || c == '%' || c == '\'';
      domain[c] = word || c == '-';
    }
  }
};
constexpr AddressBytes kAddress;

class PatternDetector final : public Detector, private NumberSink {
 public:
  PatternDetector(std::shared_ptr<const PatternSet> set, uint32_t handle, bool portable)
      : set_(std::move(set)),
        handle_(handle),
        portable_(portable),
        forward_(set_->forward, true),
        backward_(set_->backward, false),
        finder_(set_->numbers, portable) {
    std::random_device random;
    seed_ = static_cast<uint64_t>(random()) << 32 | random();
    totals_.resize(set_->rules.size());
  }
  ~PatternDetector() override { wipe(); }

  void feed(const uint8_t* utf8, size_t n, const OffsetMap& map, Sink&) override {
    if (n == 0) return;
    trail_.add(map);
    for (size_t at = 0; at < n; at += kSlice) {
      buffer_.insert(buffer_.end(), utf8 + at, utf8 + std::min(n, at + kSlice));
      if (buffer_.size() > done_ + kAhead) process(buffer_.size() - kAhead);
      trim();
    }
  }

  void finish(Sink& sink) override {
    process(buffer_.size());
    for (size_t i = 0; i < totals_.size(); i++) {
      const Total& total = totals_[i];
      if (total.count == 0 || total.distinct.size() < set_->rules[i].minCount) continue;
      Hit hit;
      hit.source = handle_;
      hit.kind = kPattern;
      hit.field = static_cast<uint8_t>(i);
      hit.offset = total.offset;
      hit.length = total.length;
      hit.confidence = total.confidence;
      hit.count = total.count;
      sink.hit(hit);
    }
  }

  void reset() override {
    wipe();
    buffer_.clear();
    trail_.clear();
    base_ = 0;
    done_ = numberAt_ = secretAt_ = emailAt_ = 0;
    forward_.reset();
    for (Total& total : totals_) total = Total();
  }

 private:
  struct Total {
    uint32_t count = 0;
    uint64_t offset = 0, endsAt = 0;  // endsAt: in decoded bytes, the last match's
    uint32_t length = 0;
    float confidence = 0;
    std::unordered_set<uint64_t> distinct;
    ContextPlaces context;
  };

  void wipe() {
    if (!buffer_.empty()) explicit_bzero(buffer_.data(), buffer_.size());
    explicit_bzero(&folded_[0], folded_.size());
    explicit_bzero(&scratch_[0], scratch_.size());
    finder_.wipe();
  }

  void trim() {
    if (done_ < kBehind + kTrim) return;
    const size_t drop = done_ - kBehind;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(drop));
    base_ += drop;
    done_ -= drop;
    for (size_t* place : {&numberAt_, &secretAt_, &emailAt_}) *place = *place > drop ? *place - drop : 0;
    trail_.forget(base_);
    for (Total& total : totals_) total.context.forget(base_);
  }

  // Looks at every place below `limit`; behind it there are kAhead bytes, or the end.
  void process(size_t limit) {
    if (!set_->numbers.empty()) numberAt_ = finder_.find(buffer_.data(), buffer_.size(), numberAt_, limit, *this);
    if (!set_->secrets.empty()) secrets(limit);
    if (!set_->bySecret[static_cast<size_t>(SecretKind::kEmail)].empty()) emails(limit);
    if (!set_->forward.nodes.empty()) automata(limit);
    done_ = limit;
  }

  bool wants(uint8_t rule, size_t begin) const override { return base_ + begin >= totals_[rule].endsAt; }

  void number(uint8_t index, const NumberMatch& match) override {
    const PatternRule& rule = set_->rules[index];
    float confidence = rule.plain;
    if (match.groups > 1) {
      bool grouped = false;
      for (const auto& grouping : rule.groupings) {
        if (grouping.size() != match.groups) continue;
        bool same = true;
        for (size_t k = 0; k < match.groups && same; k++) same = match.groupEnds[k] - (k > 0 ? match.groupEnds[k - 1] : 0) == grouping[k];
        grouped = grouped || same;
      }
      confidence = grouped ? rule.grouped : rule.plain * 0.5f;
    }
    if (match.lower && rule.number != NumberKind::kIban) confidence *= 0.8f;
    confidence *= beside(buffer_.data(), buffer_.size(), match.begin, match.end);
    found(index, match.begin, match.end, confidence, match.compact, match.length);
  }

  // Less sure where the match is a part of something longer: a decimal, an identifier, a date.
  static float beside(const uint8_t* text, size_t length, size_t begin, size_t end) {
    float factor = 1;
    const auto joins = [](uint8_t c) { return c == '-' || c == '.' || c == '/' || c == ',' || c == '_'; };
    if (begin > 0 && text[begin - 1] == '_') factor *= 0.6f;
    else if (begin > 1 && joins(text[begin - 1]) && text[begin - 1] != ',' && isAsciiAlnum(text[begin - 2])) factor *= 0.6f;
    else if (begin > 1 && text[begin - 1] == ',' && isAsciiDigit(text[begin - 2]) && end - begin < 4) factor *= 0.6f;
    if (end < length && text[end] == '_') factor *= 0.6f;
    else if (end + 1 < length && joins(text[end]) && text[end] != ',' && isAsciiAlnum(text[end + 1])) factor *= 0.6f;
    return factor;
  }

  void secrets(size_t limit) {
    const uint8_t* text = buffer_.data();
    const size_t length = buffer_.size();
    size_t at = secretAt_;
    while (at < limit) {
      at = set_->secrets.next(text, at, limit, length, portable_);
      if (at >= limit) break;
      SecretMatch match;
      if (set_->secrets.at(text, length, at, &match))
        for (const uint8_t index : set_->bySecret[static_cast<size_t>(match.kind)])
          found(index, match.begin, match.end, match.confidence, text + match.begin, match.end - match.begin);
      at++;
    }
    secretAt_ = limit;
  }

  void emails(size_t limit) {
    const uint8_t* text = buffer_.data();
    const size_t length = buffer_.size();
    size_t at = emailAt_;
    while (at < limit) {
      const void* sign = memchr(text + at, '@', limit - at);
      if (sign == nullptr) break;
      at = static_cast<size_t>(static_cast<const uint8_t*>(sign) - text);
      size_t begin = at, end = at + 1, dots = 0, label = 0;
      while (begin > 0 && at - begin < 64 && kAddress.local[text[begin - 1]]) begin--;
      while (begin < at && (text[begin] == '.' || text[begin] == '\'' || text[begin] == '-')) begin++;
      while (end < length && end - at < 254 && (kAddress.domain[text[end]] || (text[end] == '.' && label > 0))) {
        if (text[end] == '.') dots++, label = 0;
        else label++;
        end++;
      }
      if (label == 0 && end > at + 1) end--, dots--, label = 2;  // a full stop behind it
      if (begin < at && dots > 0 && label >= 2) {
        for (const uint8_t index : set_->bySecret[static_cast<size_t>(SecretKind::kEmail)]) found(index, begin, end, set_->rules[index].plain, nullptr, 0);
      }
      at++;
    }
    emailAt_ = limit;
  }

  void automata(size_t limit) {
    const uint8_t* text = buffer_.data();
    const size_t length = buffer_.size();
    for (size_t end = done_; (end = forward_.run(text, end, limit, length, portable_)) <= limit;) {
      for (const uint32_t index : forward_.ended()) {
        const PatternRule& rule = set_->rules[index];
        if (rule.wholeWord && isSpacedLetter(text, length, end) && isSpacedLetterBefore(text, end)) continue;
        const size_t begin = beginOf(text, end, index, rule.wholeWord);
        if (begin == end) continue;
        found(static_cast<uint8_t>(index), begin, end, rule.plain, nullptr, 0);
      }
    }
  }

  // Where the longest match of the rule that ends at `end` begins; `end` if there is none.
  size_t beginOf(const uint8_t* text, size_t end, uint32_t rule, bool wholeWord) {
    backward_.reset();
    size_t best = end;
    for (size_t at = end; at > 0 && end - at < kLongest && !backward_.dead();) {
      at--;
      const std::vector<uint32_t>* ended = backward_.step(text[at]);
      if (ended == nullptr || std::find(ended->begin(), ended->end(), rule) == ended->end()) continue;
      if (wholeWord && isSpacedLetter(text, end, at) && isSpacedLetterBefore(text, at)) continue;
      best = at;
    }
    return best;
  }

  // `value`: the characters by which it differs from others; nullptr for those of the text in lower case.
  void found(uint8_t index, size_t begin, size_t end, float confidence, const uint8_t* value, size_t valueLength) {
    const PatternRule& rule = set_->rules[index];
    Total& total = totals_[index];
    // Matches of a rule do not overlap: the first counts.
    if (base_ + begin < total.endsAt) return;
    if (confidence < rule.inContext && !rule.context.empty()) {
      const size_t from = begin > kContext ? begin - kContext : 0;
      const size_t to = std::min(buffer_.size(), end + kContext);
      if (set_->contexts[index].near(buffer_.data(), buffer_.size(), base_, from, begin, end, to, rule.withinTokens, portable_, &total.context, &scratch_)) confidence = rule.inContext;
    }
    if (confidence < rule.minConfidence) return;
    total.endsAt = base_ + end;
    if (total.count++ == 0) {
      total.offset = trail_.at(base_ + begin);
      total.length = static_cast<uint32_t>(trail_.at(base_ + end) - total.offset);
    }
    total.confidence = std::max(total.confidence, confidence);
    // How many more there are does not matter.
    if (total.distinct.size() < rule.minCount) {
      if (value == nullptr) {
        folded_.clear();
        appendLower(buffer_.data() + begin, end - begin, &folded_);
        value = reinterpret_cast<const uint8_t*>(folded_.data());
        valueLength = folded_.size();
      }
      uint64_t hash = seed_;
      for (size_t i = 0; i < valueLength; i++) hash = (hash ^ value[i]) * 0x9E3779B97F4A7C15ull, hash ^= hash >> 29;
      total.distinct.insert(hash);
    }
  }

  std::shared_ptr<const PatternSet> set_;
  uint32_t handle_;
  bool portable_;
  Automaton forward_, backward_;
  std::vector<uint8_t> buffer_;
  OffsetTrail trail_;     // of the buffer
  uint64_t base_ = 0;            // decoded offset of the buffer's first byte
  size_t done_ = 0;              // places of the buffer below it were looked at
  size_t numberAt_ = 0, secretAt_ = 0, emailAt_ = 0;
  std::vector<Total> totals_;
  NumberFinder finder_;
  std::string folded_, scratch_;
  uint64_t seed_ = 0;
};

}  // namespace

const char* PatternSet::problem() const {
  if (rules.size() > kMaxRules) return "there are more than 255 pattern rules";
  for (const PatternRule& rule : rules)
    if (rule.minCount > kMaxDistinct) return "a rule asks for more than 4096 different values";
  const char* wrong = forward.problem(static_cast<uint32_t>(rules.size()));
  return wrong != nullptr ? wrong : backward.problem(static_cast<uint32_t>(rules.size()));
}

void PatternSet::prepare() {
  for (size_t i = 0; i < rules.size(); i++) {
    const PatternRule& rule = rules[i];
    const uint8_t index = static_cast<uint8_t>(i);
    contexts.emplace_back(rule.context);
    // A rule that asks for more than any hit can have need not be looked for. (Secrets say themselves how sure they are.)
    const float most = std::max({rule.plain, rule.grouped, rule.context.empty() ? 0 : rule.inContext});
    const bool own = rule.what == PatternRule::kSecret && rule.secret != SecretKind::kEmail;
    if (most < rule.minConfidence && !own) continue;
    if (rule.what == PatternRule::kNumber) {
      numbers.add(index, rule.number);
    } else if (rule.what == PatternRule::kSecret) {
      bySecret[static_cast<size_t>(rule.secret)].push_back(index);
      secrets.add(rule.secret);
    }
  }
  secrets.prepare();
  forward.prepare();
}

std::unique_ptr<Detector> PatternSet::detector(uint32_t handle, bool portable) const {
  return std::make_unique<PatternDetector>(shared_from_this(), handle, portable);
}

}  // namespace sentinel::dlp
