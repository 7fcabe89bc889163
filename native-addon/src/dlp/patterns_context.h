// Words near a match, and the small things the pattern detector's parts share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dlp/patterns_filter.h"

namespace sentinel::dlp {

inline bool isAsciiDigit(uint8_t c) { return c >= '0' && c <= '9'; }
inline bool isAsciiAlnum(uint8_t c) {
  return isAsciiDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
// Letters and digits of ASCII, and whatever is not ASCII: what words are made of, nearly.
inline bool isWordByte(uint8_t c) { return c >= 0x80 || isAsciiAlnum(c); }

// Whether the character at `at` (or the one before it) is a letter or digit of a script that writes spaces. Signs of the
// general punctuation block and of Latin-1, and scripts without spaces, part words.
inline bool isSpacedLetter(const uint8_t* text, size_t length, size_t at) {
  if (at >= length) return false;
  const uint8_t c = text[at];
  return isAsciiAlnum(c) || (c >= 0xC3 && c <= 0xE1);
}
inline bool isSpacedLetterBefore(const uint8_t* text, size_t at) {
  if (at == 0) return false;
  size_t lead = at - 1;
  while (lead > 0 && at - lead < 4 && (text[lead] & 0xC0) == 0x80) lead--;
  return isSpacedLetter(text, at, lead);
}

// Appends text[0, n) in lower case: ASCII, Latin-1, Greek and Cyrillic; the number of bytes stays the same.
void appendLower(const uint8_t* text, size_t n, std::string* out);

// Where words may stand in the text of one stream, so that hits side by side do not look for them again.
struct ContextPlaces {
  struct Place {
    uint64_t at;
    bool alone;
  };
  uint64_t from = 0, to = 0;  // offsets that were looked at
  std::vector<Place> places;  // among them, in rising order
  void forget(uint64_t before);
  void clear() {
    from = to = 0;
    places.clear();
  }
};

// The words that make hits of one rule sure, in any case. Never changes once made; shared by threads.
class ContextWords {
 public:
  explicit ContextWords(const std::vector<std::string>& words);
  // Whether one of them stands in text[from, begin) or text[end, to) with at most `tokens` words between it and the
  // match at [begin, end) of text[0, length), which is at `base` in the stream. `scratch` is overwritten.
  bool near(const uint8_t* text, size_t length, uint64_t base, size_t from, size_t begin, size_t end, size_t to, uint32_t tokens, bool portable, ContextPlaces* known,
            std::string* scratch) const;

 private:
  const std::vector<uint16_t>& startingAs(const uint8_t* text, size_t length, size_t at) const;
  // Whether it may be alone in a text of so many bytes in which it begins at `at`, and which may cut the character
  // before it or what follows it.
  bool maybeAlone(const ContextPlaces::Place& place, size_t at, size_t length) const { return place.alone || at < 4 || at + longest_ >= length; }
  bool stands(const uint8_t* text, size_t length, size_t at, std::string* scratch, size_t* behind) const;
  bool nearKnown(const uint8_t* text, uint64_t base, size_t from, size_t begin, size_t end, size_t to, uint32_t tokens, const ContextPlaces& known, std::string* scratch) const;
  void look(const uint8_t* text, size_t length, uint64_t base, size_t from, size_t to, bool portable, ContextPlaces* known, std::string* scratch) const;

  std::vector<std::string> words_;
  std::vector<uint16_t> byFirst_[256];  // in lower case
  size_t longest_ = 0;
  PlaceFilter filter_;
};

}  // namespace sentinel::dlp
