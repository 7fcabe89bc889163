#include "dlp/fold.h"

#include <algorithm>
#include <iterator>

namespace sentinel::dlp {
namespace {

struct FoldEntry {
  uint32_t codePoint;
  uint32_t at;
  uint32_t length;
};
struct CodeRange {
  uint32_t from, to;
};

#include "dlp/fold_table.inc"

template <size_t N>
bool inRanges(const CodeRange (&ranges)[N], uint32_t codePoint) {
  const auto next = std::upper_bound(std::begin(ranges), std::end(ranges), codePoint,
                                     [](uint32_t value, const CodeRange &range) { return value < range.from; });
  return next != std::begin(ranges) && codePoint <= std::prev(next)->to;
}

// A syllable of Hangul written in its parts, as some file systems do (Unicode, 3.12): its code point and bytes.
uint32_t hangulSyllable(const uint8_t *text, size_t to, size_t at, uint32_t lead, uint32_t *length) {
  if (at + *length >= to) return lead;
  uint32_t more;
  const uint32_t vowel = readCodePoint(text, to, at + *length, &more);
  if (vowel < 0x1161 || vowel > 0x1175) return lead;
  *length += more;
  uint32_t syllable = 0xAC00 + ((lead - 0x1100) * 21 + vowel - 0x1161) * 28;
  if (at + *length >= to) return syllable;
  const uint32_t tail = readCodePoint(text, to, at + *length, &more);
  if (tail < 0x11A8 || tail > 0x11C2) return syllable;
  *length += more;
  return syllable + tail - 0x11A7;
}

bool isAsciiWord(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

}  // namespace

void appendUtf8(uint32_t codePoint, std::string *out) {
  if (codePoint < 0x80) {
    out->push_back(static_cast<char>(codePoint));
  } else if (codePoint < 0x800) {
    out->push_back(static_cast<char>(0xC0 | codePoint >> 6));
    out->push_back(static_cast<char>(0x80 | (codePoint & 63)));
  } else if (codePoint < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | codePoint >> 12));
    out->push_back(static_cast<char>(0x80 | (codePoint >> 6 & 63)));
    out->push_back(static_cast<char>(0x80 | (codePoint & 63)));
  } else {
    out->push_back(static_cast<char>(0xF0 | codePoint >> 18));
    out->push_back(static_cast<char>(0x80 | (codePoint >> 12 & 63)));
    out->push_back(static_cast<char>(0x80 | (codePoint >> 6 & 63)));
    out->push_back(static_cast<char>(0x80 | (codePoint & 63)));
  }
}

uint32_t readCodePoint(const uint8_t *text, size_t n, size_t at, uint32_t *length) {
  const uint8_t lead = text[at];
  *length = 1;
  if (lead < 0x80) return lead;
  const uint32_t need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || at + need >= n) return 0xFFFD;
  uint32_t value = lead & (0x3F >> need);
  for (uint32_t i = 1; i <= need; ++i) {
    if ((text[at + i] & 0xC0) != 0x80) return 0xFFFD;
    value = value << 6 | (text[at + i] & 0x3Fu);
  }
  const bool overlong = (need == 2 && value < 0x800) || (need == 3 && value < 0x10000);
  if (overlong || (value >= 0xD800 && value < 0xE000) || value > 0x10FFFF) return 0xFFFD;
  *length = need + 1;
  return value;
}

uint8_t asciiFormOf(uint32_t codePoint) {
  if (codePoint < 0x660) return 0;
  if (codePoint >= 0xFF01 && codePoint <= 0xFF5E) return static_cast<uint8_t>(codePoint - 0xFEE0);
  if (codePoint >= 0x1D400 && codePoint <= 0x1D6A3) {
    const uint32_t letter = (codePoint - 0x1D400) % 52;
    return static_cast<uint8_t>(letter < 26 ? 'A' + letter : 'a' + letter - 26);
  }
  const auto next = std::upper_bound(std::begin(kDigitZeros), std::end(kDigitZeros), codePoint);
  if (next == std::begin(kDigitZeros)) return 0;
  const uint32_t digit = codePoint - *std::prev(next);
  return digit < 10 ? static_cast<uint8_t>('0' + digit) : 0;
}

bool isJoiner(uint32_t codePoint) {
  switch (codePoint) {
    case ' ':
    case '-':
    case '.':
    case '/':
    case '_':
    case '(':
    case ')':
    case '\n':
    case '\r':
    case 0xA0:
    case 0xAD:
    case 0x202F:
    case 0x205F:
    case 0x2060:
    case 0x2212:
    case 0x3000:
    case 0xFEFF:
      return true;
    default:
      return (codePoint >= 0x2000 && codePoint <= 0x200D) || (codePoint >= 0x2010 && codePoint <= 0x2015);
  }
}

bool isWordChar(uint32_t codePoint) {
  if (codePoint < 0x80) return isAsciiWord(static_cast<uint8_t>(codePoint));
  return inRanges(kWordRanges, codePoint);
}

bool isSingleToken(uint32_t codePoint) { return codePoint >= 0xE00 && inRanges(kSingleRanges, codePoint); }

void appendFolded(uint32_t codePoint, std::string *out) {
  if (codePoint < 0x80) {
    out->push_back(static_cast<char>(codePoint >= 'A' && codePoint <= 'Z' ? codePoint + 32 : codePoint));
    return;
  }
  if (codePoint >= 0x300 && codePoint <= 0x36F) return;
  const auto found = std::lower_bound(std::begin(kFolds), std::end(kFolds), codePoint,
                                      [](const FoldEntry &entry, uint32_t value) { return entry.codePoint < value; });
  if (found == std::end(kFolds) || found->codePoint != codePoint) return appendUtf8(codePoint, out);
  out->append(reinterpret_cast<const char *>(kFoldPool) + found->at, found->length);
}

void tokenize(const uint8_t *text, size_t from, size_t to, std::vector<Token> *tokens, std::string *folded) {
  bool open = false;
  const auto close = [&](size_t at) {
    if (!open) return;
    open = false;
    tokens->back().end = static_cast<uint32_t>(at);
    tokens->back().foldedEnd = static_cast<uint32_t>(folded->size());
    // A lone accent folds to nothing and is no token.
    if (tokens->back().foldedEnd == tokens->back().foldedAt) tokens->pop_back();
  };
  for (size_t at = from; at < to;) {
    uint32_t length;
    uint32_t codePoint = readCodePoint(text, to, at, &length);
    if (codePoint >= 0x1100 && codePoint <= 0x1112) codePoint = hangulSyllable(text, to, at, codePoint, &length);
    const bool voiced = codePoint == 0x3099 || codePoint == 0x309A || codePoint == 0xFF9E || codePoint == 0xFF9F;
    if (voiced && !open && !tokens->empty() && tokens->back().end == at) {
      // Voicing marks belong to the kana before them.
      appendFolded(codePoint, folded);
      tokens->back().end = static_cast<uint32_t>(at + length);
      tokens->back().foldedEnd = static_cast<uint32_t>(folded->size());
    } else if (!isWordChar(codePoint)) {
      close(at);
    } else {
      const bool single = isSingleToken(codePoint);
      if (single) close(at);
      if (!open) {
        const uint32_t foldedAt = static_cast<uint32_t>(folded->size());
        tokens->push_back({static_cast<uint32_t>(at), 0, foldedAt, foldedAt});
        open = true;
      }
      appendFolded(codePoint, folded);
      if (single) close(at + length);
    }
    at += length;
  }
  close(to);
}

}  // namespace sentinel::dlp
