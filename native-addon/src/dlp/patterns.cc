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
constexpr size_t kGroups = 10;
constexpr size_t kTrim = 64 * 1024;
constexpr size_t kMaxDistinct = 4096;

// The number of bytes of a separator that people put inside numbers; 0 if there is none at `at`.
size_t separatorAt(const uint8_t* text, size_t length, size_t at) {
  const uint8_t c = text[at];
  if (c == ' ' || c == '-' || c == '.' || c == '/') return 1;
  if (c == 0xC2 && at + 1 < length && text[at + 1] == 0xA0) return 2;  // no-break space
  if (c == 0xE2 && at + 2 < length && text[at + 1] == 0x80) {
    const uint8_t last = text[at + 2];
    // figure, thin and narrow spaces; hyphens and dashes
    if (last == 0x87 || last == 0x89 || last == 0xAF || (last >= 0x90 && last <= 0x93)) return 3;
  }
  if (c == 0xE3 && at + 2 < length && text[at + 1] == 0x80 && text[at + 2] == 0x80) return 3;  // ideographic space
  return 0;
}

// A letter or digit at `at`, ASCII or full-width: its ASCII form and its bytes; 0 if there is none.
inline uint8_t characterAt(const uint8_t* text, size_t length, size_t at, size_t* bytes) {
  const uint8_t c = text[at];
  *bytes = 1;
  if (isAsciiAlnum(c)) return c;
  if (c != 0xEF || at + 2 >= length || text[at + 1] < 0xBC) return 0;
  *bytes = 3;
  const uint8_t last = text[at + 2];
  if (text[at + 1] == 0xBC && last >= 0x90 && last <= 0x99) return static_cast<uint8_t>('0' + (last - 0x90));
  if (text[at + 1] == 0xBC && last >= 0xA1 && last <= 0xBA) return static_cast<uint8_t>('A' + (last - 0xA1));
  if (text[at + 1] == 0xBD && last >= 0x81 && last <= 0x9A) return static_cast<uint8_t>('a' + (last - 0x81));
  return 0;
}

class PatternDetector final : public Detector {
 public:
  PatternDetector(std::shared_ptr<const PatternSet> set, uint32_t handle, bool portable)
      : set_(std::move(set)), handle_(handle), portable_(portable), forward_(set_->forward, true), backward_(set_->backward, false) {
    std::random_device random;
    seed_ = static_cast<uint64_t>(random()) << 32 | random();
    totals_.resize(set_->rules.size());
  }
  ~PatternDetector() override { wipe(); }

  void feed(const uint8_t* utf8, size_t n, const OffsetMap& map, Sink&) override {
    if (n == 0) return;
    trail_.add(map);
    buffer_.insert(buffer_.end(), utf8, utf8 + n);
    if (buffer_.size() > done_ + kAhead) process(buffer_.size() - kAhead);
    trim();
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
  };

  void wipe() {
    if (!buffer_.empty()) explicit_bzero(buffer_.data(), buffer_.size());
    explicit_bzero(&before_[0], before_.size());
    explicit_bzero(&after_[0], after_.size());
  }

  void trim() {
    if (done_ < kBehind + kTrim) return;
    const size_t drop = done_ - kBehind;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(drop));
    base_ += drop;
    done_ -= drop;
    for (size_t* place : {&numberAt_, &secretAt_, &emailAt_}) *place = *place > drop ? *place - drop : 0;
    trail_.forget(base_);
  }

  // Looks at every place below `limit`; behind it there are kAhead bytes, or the end.
  void process(size_t limit) {
    if (set_->numbers) numbers(limit);
    if (set_->secrets) secrets(limit);
    if (set_->emails) emails(limit);
    if (!set_->forward.nodes.empty()) automata(limit);
    done_ = limit;
  }

  void numbers(size_t limit) {
    const uint8_t* text = buffer_.data();
    const size_t length = buffer_.size();
    size_t at = numberAt_;
    while (at < limit) {
      at = nextDigit(text, at, limit, portable_);
      if (at >= limit) break;
      size_t width;
      if (text[at] == 0xEF) {
        const uint8_t wide = characterAt(text, length, at, &width);
        if (wide == 0) {
          at++;
          continue;
        }
      }
      at = numberAround(text, length, at, limit);
    }
    numberAt_ = std::max(at, limit);
  }

  // The digit at `digit` is the first of its group. Returns where to go on.
  size_t numberAround(const uint8_t* text, size_t length, size_t digit, size_t limit) {
    size_t start = digit, bytes;
    while (start > 0 && digit - start < 64 && isAsciiAlnum(text[start - 1])) start--;
    // Full-width letters and digits before it.
    while (start >= 3 && digit - start < 64 && text[start - 3] == 0xEF && characterAt(text, length, start - 3, &bytes) != 0) start -= 3;
    bool tooLong = digit - start >= 64;
    size_t end = digit;
    while (end < length && (!tooLong || end < limit)) {
      if (characterAt(text, length, end, &bytes) == 0) break;
      end += bytes;
      if (end - start > 108) tooLong = true;
    }
    if (tooLong) return end;
    // A group of letters before may belong to it: "QQ 12 34 56 C".
    if (start > 1 && separatorAt(text, length, start - 1) == 1) {
      size_t letters = start - 1;
      while (letters > 0 && start - 1 - letters < 7 && isAsciiAlnum(text[letters - 1]) && !isAsciiDigit(text[letters - 1])) letters--;
      const size_t count = start - 1 - letters;
      if (count >= 1 && count <= 6 && (letters == 0 || !isWordByte(text[letters - 1]))) candidates(text, length, letters);
    }
    if (start == 0 || !isWordByte(text[start - 1]) || text[start - 1] >= 0x80) candidates(text, length, start);
    return end;
  }

  // Every run of groups from `start` on, against the rules for numbers of that length.
  void candidates(const uint8_t* text, size_t length, size_t start) {
    uint8_t compact[40];
    struct End {
      size_t compact, text;
      bool digits, lower;
      uint8_t separators;  // different ones so far
    } ends[kGroups];
    size_t groups = 0, n = 0, at = start, bytes;
    bool digits = true, lower = false;
    uint8_t kinds[3] = {0, 0, 0}, separators = 0;
    while (groups < kGroups) {
      const size_t groupStart = n;
      while (at < length && n < sizeof compact) {
        const uint8_t c = characterAt(text, length, at, &bytes);
        if (c == 0) break;
        digits = digits && isAsciiDigit(c);
        lower = lower || (c >= 'a' && c <= 'z');
        compact[n++] = c >= 'a' && c <= 'z' ? static_cast<uint8_t>(c - 32) : c;
        at += bytes;
      }
      if (n == groupStart || n > 34) break;
      ends[groups++] = {n, at, digits, lower, separators};
      if (at >= length) break;
      const size_t width = separatorAt(text, length, at);
      if (width == 0 || at + width >= length) break;
      const uint8_t kind = width == 1 ? text[at] : text[at + width - 1];
      if (std::find(kinds, kinds + 3, kind) == kinds + 3) {
        if (separators == 3) break;
        kinds[separators++] = kind;
      }
      at += width;
    }
    bool done[PatternSet::kMaxRules] = {};
    for (size_t g = groups; g-- > 0;) {
      const End& end = ends[g];
      for (const uint8_t index : set_->byLength[end.compact]) {
        if (done[index]) continue;
        const PatternRule& rule = set_->rules[index];
        if (!end.digits && isDigitsOnly(rule.number)) continue;
        if (!isValidNumber(rule.number, compact, end.compact)) continue;
        done[index] = true;
        float confidence = rule.plain;
        if (g > 0) {
          bool grouped = false;
          for (const auto& grouping : rule.groupings) {
            if (grouping.size() != g + 1) continue;
            bool same = true;
            for (size_t k = 0; k <= g && same; k++) same = ends[k].compact - (k > 0 ? ends[k - 1].compact : 0) == grouping[k];
            grouped = grouped || same;
          }
          confidence = grouped ? rule.grouped : rule.plain * 0.5f;
        }
        if (end.lower && rule.number != NumberKind::kIban) confidence *= 0.8f;
        confidence *= beside(text, length, start, end.text);
        found(index, start, end.text, confidence, compact, end.compact);
      }
    }
    explicit_bzero(compact, sizeof compact);
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
      at = nextSecretAnchor(text, at, length, portable_);
      if (at >= limit) break;
      SecretMatch match;
      if (secretAt(text, length, at, &match))
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
      const auto local = [](uint8_t c) { return isWordByte(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '%' || c == '\''; };
      size_t begin = at, end = at + 1, dots = 0, label = 0;
      while (begin > 0 && at - begin < 64 && local(text[begin - 1])) begin--;
      while (begin < at && (text[begin] == '.' || text[begin] == '\'' || text[begin] == '-')) begin++;
      while (end < length && end - at < 254 && (isWordByte(text[end]) || text[end] == '-' || (text[end] == '.' && label > 0))) {
        if (text[end] == '.') dots++, label = 0;
        else label++;
        end++;
      }
      if (label == 0 && end > at + 1) end--, dots--, label = 2;  // a full stop behind it
      if (begin < at && dots > 0 && label >= 2) {
        std::string folded;
        appendLower(text + begin, end - begin, &folded);
        for (const uint8_t index : set_->bySecret[static_cast<size_t>(SecretKind::kEmail)])
          found(index, begin, end, set_->rules[index].plain, reinterpret_cast<const uint8_t*>(folded.data()), folded.size());
        explicit_bzero(&folded[0], folded.size());
      }
      at++;
    }
    emailAt_ = limit;
  }

  void automata(size_t limit) {
    const uint8_t* text = buffer_.data();
    const size_t length = buffer_.size();
    for (size_t at = done_; at < limit; at++) {
      const std::vector<uint32_t>* ended = forward_.step(text[at]);
      if (ended == nullptr) continue;
      for (const uint32_t index : *ended) {
        const PatternRule& rule = set_->rules[index];
        const size_t end = at + 1;
        if (rule.wholeWord && isSpacedLetter(text, length, end) && isSpacedLetterBefore(text, end)) continue;
        const size_t begin = beginOf(text, end, index, rule.wholeWord);
        if (begin == end) continue;
        std::string folded;
        appendLower(text + begin, end - begin, &folded);
        found(static_cast<uint8_t>(index), begin, end, rule.plain, reinterpret_cast<const uint8_t*>(folded.data()), folded.size());
        explicit_bzero(&folded[0], folded.size());
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

  void found(uint8_t index, size_t begin, size_t end, float confidence, const uint8_t* value, size_t valueLength) {
    const PatternRule& rule = set_->rules[index];
    Total& total = totals_[index];
    // Matches of a rule do not overlap: the first counts.
    if (base_ + begin < total.endsAt) return;
    if (confidence < rule.inContext && !rule.context.empty()) {
      before_.clear();
      after_.clear();
      const size_t from = begin > kContext ? begin - kContext : 0;
      const size_t to = std::min(buffer_.size(), end + kContext);
      appendLower(buffer_.data() + from, begin - from, &before_);
      appendLower(buffer_.data() + end, to - end, &after_);
      if (hasContext(before_, after_, rule.context, rule.withinTokens)) confidence = rule.inContext;
    }
    if (confidence < rule.minConfidence) return;
    total.endsAt = base_ + end;
    const uint64_t offset = trail_.at(base_ + begin);
    if (total.count++ == 0) {
      total.offset = offset;
      total.length = static_cast<uint32_t>(trail_.at(base_ + end) - offset);
    }
    total.confidence = std::max(total.confidence, confidence);
    if (total.distinct.size() < kMaxDistinct) {
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
  std::string before_, after_;
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
    if (rule.what == PatternRule::kNumber) {
      size_t shortest, longest;
      numberLengths(rule.number, &shortest, &longest);
      for (size_t length = shortest; length <= longest && length < 35; length++) byLength[length].push_back(index);
      numbers = true;
    } else if (rule.what == PatternRule::kSecret) {
      bySecret[static_cast<size_t>(rule.secret)].push_back(index);
      (rule.secret == SecretKind::kEmail ? emails : secrets) = true;
    }
  }
}

std::unique_ptr<Detector> PatternSet::detector(uint32_t handle, bool portable) const {
  return std::make_unique<PatternDetector>(shared_from_this(), handle, portable);
}

}  // namespace sentinel::dlp
