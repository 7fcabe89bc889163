#include "dlp/patterns_numbers.h"

#include <string.h>

#include <algorithm>

#include "dlp/patterns_context.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kMostBefore = 64;   // bytes of a group before its first digit
constexpr size_t kMostOfGroup = 108;

// What people put between groups: one ASCII byte of these ...
inline uint8_t plainSeparator(uint8_t c) { return c == ' ' ? 1 : c == '-' ? 2 : c == '.' ? 4 : c == '/' ? 8 : 0; }

// ... or a space or dash of more bytes. How many bytes; 0 if there is none at `at`.
size_t separatorAt(const uint8_t* text, size_t length, size_t at) {
  const uint8_t c = text[at];
  if (plainSeparator(c) != 0) return 1;
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

inline uint8_t upper(uint8_t c) { return c >= 'a' ? static_cast<uint8_t>(c - 32) : c; }

// First place from `i` on without the mark; behind the last marks nothing is marked.
template <uint64_t ByteMarks::*kMark>
inline size_t nextWithout(const ByteMarks* marks, size_t i) {
  size_t word = i / 64;
  uint64_t clear = ~(marks[word].*kMark) & ~0ull << (i % 64);
  while (clear == 0) clear = ~(marks[++word].*kMark);
  return word * 64 + static_cast<size_t>(__builtin_ctzll(clear));
}

// Where the marked run that `i` belongs to begins.
inline size_t runBegins(const ByteMarks* marks, size_t i) {
  size_t word = i / 64;
  uint64_t clear = ~marks[word].alnums & ((1ull << (i % 64)) - 1);
  while (clear == 0) {
    if (word == 0) return 0;
    clear = ~marks[--word].alnums;
  }
  return word * 64 + 64 - static_cast<size_t>(__builtin_clzll(clear));
}

}  // namespace

void NumberPlan::add(uint8_t rule, NumberKind kind) {
  size_t shortest, longest;
  numberLengths(kind, &shortest, &longest);
  const Entry entry{rule, kind, numberStart(kind), isDigitsOnly(kind)};
  for (size_t length = shortest; length <= longest && length <= kLongestNumber; length++) {
    byLength_[length].push_back(entry);
    shortest_ = std::min(shortest_, static_cast<unsigned>(length));
    const uint64_t bit = 1ull << length;
    if (entry.digitsOnly) {
      ofDigits_ |= bit;
      byLetters_[0] |= bit;
      continue;
    }
    for (size_t letters = entry.start.leastLetters; letters <= entry.start.mostLetters; letters++) {
      byLetters_[letters] |= bit;
      for (size_t digits = entry.start.leastDigits; digits <= std::min<size_t>(entry.start.mostDigits, kDigits); digits++) lengths_[letters][digits] |= bit;
    }
  }
}

// Groups from one start on.
struct NumberFinder::Groups {
  struct End {
    size_t text;
    uint8_t compact, leadingDigits;
    bool allDigits, wanted;
  } ends[kMostGroups];
  size_t count = 0;
};

void NumberFinder::wipe() { explicit_bzero(compact_, sizeof compact_); }

size_t NumberFinder::find(const uint8_t* text, size_t length, size_t from, size_t limit, NumberSink& sink) {
  if (from >= limit) return from;
  constexpr size_t kBefore = 2 * kMostBefore;
  text_ = text;
  length_ = length;
  markedAt_ = from > kBefore ? from - kBefore : 0;
  const size_t marked = std::min(length, limit + kBeyond) - markedAt_, words = (marked + 63) / 64;
  if (marks_.size() < words + 1) marks_.resize(words + 1);
  markBytes(text + markedAt_, marked, marks_.data(), portable_);
  marks_[words] = ByteMarks{0, 0, 0, 0, 0};
  if (triggers_.size() < words) triggers_.resize(words);
  markTriggers(words);
  size_t at = from;
  while (at < limit) {
    size_t word = (at - markedAt_) / 64;
    uint64_t found = triggers_[word] & ~0ull << ((at - markedAt_) % 64);
    while (found == 0 && ++word < words) found = triggers_[word];
    if (found == 0) return limit;
    at = markedAt_ + word * 64 + static_cast<size_t>(__builtin_ctzll(found));
    if (at >= limit) return limit;
    size_t width;
    if (text[at] != 0xEF) at = around(at, limit, sink);
    else if (characterAt(text, length, at, &width) == 0) at++;
    else at = aroundSlowly(at, limit, sink);
  }
  return at;
}

// Digits in a stretch without other signs that is as long as the shortest number, and what may be full-width ones.
void NumberFinder::markTriggers(size_t words) {
  const unsigned least = std::min(plan_.shortest(), 32u);
  const auto stretch = [&](size_t word) { return word < words ? marks_[word].joined | marks_[word].others : 0; };
  uint64_t now = stretch(0), before = 0;
  for (size_t word = 0; word < words; word++) {
    // A bit where a long one begins (in 128 bits: those that go on in the next word), then at each of its places.
    const uint64_t next = stretch(word + 1);
    unsigned __int128 begins = static_cast<unsigned __int128>(next) << 64 | now;
    unsigned __int128 places = 0;
    unsigned have = 1;
    for (; have * 2 <= least; have *= 2) begins &= begins >> have;
    if (have < least) begins &= begins >> (least - have);
    places = static_cast<unsigned __int128>(static_cast<uint64_t>(begins)) << 64 | before;
    before = static_cast<uint64_t>(begins);
    for (have = 1; have * 2 <= least; have *= 2) places |= places << have;
    if (have < least) places |= places << (least - have);
    triggers_[word] = (marks_[word].digits & static_cast<uint64_t>(places >> 64)) | marks_[word].wide;
    now = next;
  }
}

// Where a group of one to six letters begins that stands before `start` with a separator between; `start` if there is
// none: "QQ 12 34 56 C".
size_t NumberFinder::lettersBefore(size_t start) const {
  if (start < 2 || plainSeparator(text_[start - 1]) == 0) return start;
  size_t letters = start - 1;
  while (letters > 0 && start - 1 - letters < 7 && isAsciiAlnum(text_[letters - 1]) && !isAsciiDigit(text_[letters - 1])) letters--;
  const size_t count = start - 1 - letters;
  return count >= 1 && count <= 6 && (letters == 0 || !isWordByte(text_[letters - 1])) ? letters : start;
}

// The digit at `digit` is the first of its group. Returns where to go on.
size_t NumberFinder::around(size_t digit, size_t limit, NumberSink& sink) {
  const size_t begin = runBegins(marks_.data(), digit - markedAt_), end = nextWithout<&ByteMarks::alnums>(marks_.data(), digit - markedAt_);
  const size_t start = markedAt_ + begin, behind = markedAt_ + end;
  if (digit - start >= kMostBefore || end - begin > kMostOfGroup) return behind;
  if ((start > 0 && text_[start - 1] >= 0x80) || (behind < length_ && text_[behind] >= 0x80)) return aroundSlowly(digit, limit, sink);
  const size_t own = digit - start, before = lettersBefore(start);
  size_t joinedEnd;
  const size_t characters = charactersFrom(before, &joinedEnd);
  // Then nothing that begins farther on is long enough either.
  if (characters < plan_.shortest()) return joinedEnd;
  if (before < start) {
    const size_t letters = start - 1 - before + own;
    if (mayBe(letters, characters)) from(before, letters, sink);
  }
  if (mayBe(own, characters)) from(start, own, sink);
  return behind;
}

// How many letters and digits follow from `start` on with at most one sign between them, and where that ends; more than
// kLongestNumber if what is not ASCII may join more.
size_t NumberFinder::charactersFrom(size_t start, size_t* end) const {
  const ByteMarks* marks = marks_.data();
  const size_t begin = start - markedAt_, joinedEnd = nextWithout<&ByteMarks::joined>(marks, begin);
  *end = markedAt_ + joinedEnd;
  if (*end < length_ && (text_[*end] >= 0x80 || (*end + 1 < length_ && text_[*end + 1] >= 0x80))) return kLongestNumber + 1;
  if (joinedEnd - begin > 64) return kLongestNumber + 1;
  size_t characters = joinedEnd - begin;
  for (size_t word = begin / 64; word * 64 < joinedEnd; word++) {
    uint64_t signs = marks[word].joined & ~marks[word].alnums;
    if (word == begin / 64) signs &= ~0ull << (begin % 64);
    if (word == joinedEnd / 64) signs &= (1ull << (joinedEnd % 64)) - 1;
    for (; signs != 0; signs &= signs - 1) characters--;
  }
  return characters;
}

// Every run of groups from `start` on; it begins with so many letters.
void NumberFinder::from(size_t start, size_t letters, NumberSink& sink) {
  const ByteMarks* marks = marks_.data();
  const uint64_t possible = plan_.lengths(letters);
  Groups groups;
  size_t at = start - markedAt_, n = 0, lettersLeft = letters, leading = 0;
  uint8_t separators = 0;
  bool counting = true, wanted = false;
  while (groups.count < kMostGroups) {
    const size_t end = nextWithout<&ByteMarks::alnums>(marks, at);
    n += end - at;
    if (n > kLongestNumber) break;
    if (counting) {
      const size_t skip = std::min(lettersLeft, end - at);
      lettersLeft -= skip;
      const size_t digitsEnd = at + skip < end ? std::min(end, nextWithout<&ByteMarks::digits>(marks, at + skip)) : end;
      leading += digitsEnd - (at + skip);
      counting = digitsEnd == end;
    }
    Groups::End& group = groups.ends[groups.count++];
    group.text = markedAt_ + end;
    group.compact = static_cast<uint8_t>(n);
    group.leadingDigits = static_cast<uint8_t>(leading);
    group.allDigits = counting && letters == 0;
    group.wanted = ((plan_.lengths(letters, leading) | (group.allDigits ? plan_.lengthsOfDigits() : 0)) >> n & 1) != 0;
    wanted = wanted || group.wanted;
    if (possible >> n <= 1 || group.text >= length_) break;
    const uint8_t sign = text_[group.text];
    if (sign >= 0x80) return fromSlowly(start, sink);
    const uint8_t kind = plainSeparator(sign);
    if (kind == 0 || group.text + 1 >= length_) break;
    separators |= kind;
    if (separators == 15) break;
    if (text_[group.text + 1] >= 0x80) return fromSlowly(start, sink);
    at = end + 1;
    if ((marks[at / 64].alnums >> (at % 64) & 1) == 0) break;
  }
  if (!wanted) return;
  copy(start, groups);
  judge(start, groups, letters, sink);
}

void NumberFinder::copy(size_t start, const Groups& groups) {
  size_t n = 0;
  firstLower_ = sizeof compact_;
  const uint8_t* from = text_ + start;
  for (size_t g = 0; g < groups.count; g++) {
    for (; n < groups.ends[g].compact; n++) {
      const uint8_t c = *from++;
      if (c >= 'a' && n < firstLower_) firstLower_ = n;
      compact_[n] = upper(c);
    }
    from++;
  }
}

void NumberFinder::judge(size_t start, const Groups& groups, size_t letters, NumberSink& sink) {
  uint64_t done[4] = {};
  uint8_t ends[kMostGroups];
  for (size_t g = 0; g < groups.count; g++) ends[g] = groups.ends[g].compact;
  for (size_t g = groups.count; g-- > 0;) {
    const Groups::End& end = groups.ends[g];
    if (!end.wanted) continue;
    for (const NumberPlan::Entry& entry : plan_.ofLength(end.compact)) {
      const size_t own = std::min<size_t>(letters, end.compact);
      const bool fits = entry.digitsOnly ? end.allDigits
                                         : own >= entry.start.leastLetters && own <= entry.start.mostLetters &&
                                               end.leadingDigits >= entry.start.leastDigits && end.leadingDigits <= entry.start.mostDigits;
      uint64_t& word = done[entry.rule / 64];
      const uint64_t bit = 1ull << entry.rule % 64;
      if (!fits || (word & bit) != 0 || !sink.wants(entry.rule, start) || !isValidNumber(entry.kind, compact_, end.compact)) continue;
      word |= bit;
      sink.number(entry.rule, {start, end.text, compact_, end.compact, ends, g + 1, firstLower_ < end.compact});
    }
  }
}

size_t NumberFinder::aroundSlowly(size_t digit, size_t limit, NumberSink& sink) {
  size_t start = digit, bytes;
  while (start > 0 && digit - start < kMostBefore && isAsciiAlnum(text_[start - 1])) start--;
  // Full-width letters and digits before it.
  while (start >= 3 && digit - start < kMostBefore && text_[start - 3] == 0xEF && characterAt(text_, length_, start - 3, &bytes) != 0) start -= 3;
  bool tooLong = digit - start >= kMostBefore;
  size_t end = digit;
  while (end < length_ && (!tooLong || end < limit)) {
    if (characterAt(text_, length_, end, &bytes) == 0) break;
    end += bytes;
    if (end - start > kMostOfGroup) tooLong = true;
  }
  if (tooLong) return end;
  const size_t before = lettersBefore(start);
  if (before < start) fromSlowly(before, sink);
  if (start == 0 || !isWordByte(text_[start - 1]) || text_[start - 1] >= 0x80) fromSlowly(start, sink);
  return end;
}

void NumberFinder::fromSlowly(size_t start, NumberSink& sink) {
  Groups groups;
  size_t n = 0, at = start, bytes, letters = 0, leading = 0;
  uint8_t kinds[3] = {0, 0, 0}, separators = 0;
  bool inLetters = true, inDigits = true;
  firstLower_ = sizeof compact_;
  while (groups.count < kMostGroups) {
    const size_t groupStart = n;
    while (at < length_ && n < sizeof compact_) {
      const uint8_t c = characterAt(text_, length_, at, &bytes);
      if (c == 0) break;
      if (isAsciiDigit(c)) {
        inLetters = false;
        leading += inDigits;
      } else if (inLetters) {
        letters++;
      } else {
        inDigits = false;
      }
      if (c >= 'a' && n < firstLower_) firstLower_ = n;
      compact_[n++] = upper(c);
      at += bytes;
    }
    if (n == groupStart || n > kLongestNumber) break;
    groups.ends[groups.count++] = {at, static_cast<uint8_t>(n), static_cast<uint8_t>(leading), letters == 0 && inDigits, true};
    if (at >= length_) break;
    const size_t width = separatorAt(text_, length_, at);
    if (width == 0 || at + width >= length_) break;
    const uint8_t kind = width == 1 ? text_[at] : text_[at + width - 1];
    if (std::find(kinds, kinds + 3, kind) == kinds + 3) {
      if (separators == 3) break;
      kinds[separators++] = kind;
    }
    at += width;
  }
  if (groups.count > 0) judge(start, groups, letters, sink);
}

}  // namespace sentinel::dlp
