// Finds what may be a number of some kind: groups of digits and letters with one separator between them.
//
// One pass marks digits and letters, a bit each. Around every digit the group is measured by its bits, groups that
// follow are added as long as some kind is that long, and only when the number of leading letters and digits fits a kind
// is anything copied and validated. Text outside ASCII beside or inside a group (full-width digits, no-break spaces)
// goes a slower way with the same result.
#pragma once

#include <vector>

#include "dlp/patterns_filter.h"
#include "dlp/validators.h"

namespace sentinel::dlp {

constexpr size_t kLongestNumber = 34;  // characters, without separators
constexpr size_t kMostGroups = 10;

// Which kinds are sought, by what tells them apart first.
class NumberPlan {
 public:
  struct Entry {
    uint8_t rule;
    NumberKind kind;
    NumberStart start;
    bool digitsOnly;
  };
  void add(uint8_t rule, NumberKind kind);
  bool empty() const { return shortest_ > kLongestNumber; }
  // Characters of the shortest number of all kinds.
  unsigned shortest() const { return shortest_; }
  const std::vector<Entry>& ofLength(size_t length) const { return byLength_[length]; }
  // Lengths, a bit each, of numbers that begin with so many letters and then so many digits.
  uint64_t lengths(size_t letters, size_t digits) const { return letters > kLetters ? 0 : lengths_[letters][digits < kDigits ? digits : kDigits]; }
  uint64_t lengths(size_t letters) const { return letters > kLetters ? 0 : byLetters_[letters]; }
  uint64_t lengthsOfDigits() const { return ofDigits_; }

 private:
  static constexpr size_t kLetters = 16, kDigits = 19;
  std::vector<Entry> byLength_[kLongestNumber + 1];
  uint64_t lengths_[kLetters + 1][kDigits + 1] = {};
  uint64_t byLetters_[kLetters + 1] = {};
  uint64_t ofDigits_ = 0;
  unsigned shortest_ = kLongestNumber + 1;
};

struct NumberMatch {
  size_t begin, end;        // bytes of the text
  const uint8_t* compact;   // the characters that count, in upper case
  size_t length;
  const uint8_t* groupEnds;  // in characters
  size_t groups;
  bool lower;               // some letter was in lower case
};

class NumberSink {
 public:
  virtual ~NumberSink() = default;
  // Whether a number that begins there could still count for the rule.
  virtual bool wants(uint8_t rule, size_t begin) const = 0;
  virtual void number(uint8_t rule, const NumberMatch& match) = 0;
};

class NumberFinder {
 public:
  NumberFinder(const NumberPlan& plan, bool portable) : plan_(plan), portable_(portable) {}
  ~NumberFinder() { wipe(); }
  // Looks around every digit of text[from, limit); returns where to go on. Bytes up to `length` are looked at, so
  // behind the limit there should be kBeyond, or the end of the stream, and as much before `from`.
  size_t find(const uint8_t* text, size_t length, size_t from, size_t limit, NumberSink& sink);
  void wipe();

  static constexpr size_t kBeyond = 256;

 private:
  struct Groups;
  size_t around(size_t digit, size_t limit, NumberSink& sink);
  size_t aroundSlowly(size_t digit, size_t limit, NumberSink& sink);
  void from(size_t start, size_t letters, NumberSink& sink);
  void fromSlowly(size_t start, NumberSink& sink);
  void judge(size_t start, const Groups& groups, size_t letters, NumberSink& sink);
  void copy(size_t start, const Groups& groups);
  size_t lettersBefore(size_t start) const;
  size_t charactersFrom(size_t start, size_t* end) const;
  bool mayBe(size_t letters, size_t characters) const { return (plan_.lengths(letters) & ((2ull << (characters < 62 ? characters : 62)) - 1)) != 0; }
  void markTriggers(size_t words);

  const NumberPlan& plan_;
  bool portable_;
  std::vector<ByteMarks> marks_;
  std::vector<uint64_t> triggers_;  // digits that are looked at
  const uint8_t* text_ = nullptr;
  size_t length_ = 0, markedAt_ = 0;
  uint8_t compact_[kLongestNumber + 6] = {};
  size_t firstLower_ = 0;
};

}  // namespace sentinel::dlp
