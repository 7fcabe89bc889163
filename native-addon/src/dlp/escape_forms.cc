#include "dlp/escape_forms.h"

#include <algorithm>

#include "dlp/byte_sets.h"
#include "dlp/text.h"

namespace sentinel::dlp {
namespace {

// JSON within JSON doubles the backslashes.
constexpr size_t kMaxBackslashes = 8;
// An address within an address doubles the percent signs: %2540.
constexpr size_t kMaxPercents = 2;

bool isHex(uint8_t b) { return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F'); }
bool isDigit(uint8_t b) { return b >= '0' && b <= '9'; }
// The value of a hex digit.
uint32_t hexDigit(uint8_t b) { return isDigit(b) ? b - '0' : (b | 0x20) - 'a' + 10u; }
bool isAlnum(uint8_t b) { return isDigit(b) || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z'); }

using Parse = EscapeParse;

// Backslashes, u and four digits.
Parse unit(const uint8_t *at, size_t n, size_t *used, uint32_t *value) {
  size_t i = 0;
  while (i < n && i < kMaxBackslashes && at[i] == '\\') ++i;
  if (i == 0 && n > 0) return Parse::kNone;
  if (i == n) return Parse::kCut;
  if (at[i++] != 'u') return Parse::kNone;
  *value = 0;
  for (size_t digit = 0; digit < 4; ++digit, ++i) {
    if (i == n) return Parse::kCut;
    if (!isHex(at[i])) return Parse::kNone;
    *value = *value << 4 | hexDigit(at[i]);
  }
  *used = i;
  return Parse::kWhole;
}

// A percent sign, itself escaped or not, and two hex digits.
Parse percentByte(const uint8_t *at, size_t n, size_t *used, uint8_t *value) {
  if (n == 0) return Parse::kCut;
  if (at[0] != '%') return Parse::kNone;
  size_t i = 1;
  for (size_t level = 0; level < kMaxPercents; ++level) {
    if (n - i < 4 || at[i] != '2' || at[i + 1] != '5' || !isHex(at[i + 2]) || !isHex(at[i + 3])) break;
    i += 2;
  }
  for (size_t digit = i; digit < i + 2; ++digit) {
    if (digit >= n) return Parse::kCut;
    if (!isHex(at[digit])) return Parse::kNone;
  }
  *value = static_cast<uint8_t>(hexDigit(at[i]) << 4 | hexDigit(at[i + 1]));
  *used = i + 2;
  // The end may hide that it goes on.
  if (*value == '%' && n - i < 4 && std::all_of(at + i, at + n, isHex)) return Parse::kCut;
  return Parse::kWhole;
}

// The character that percent signs tell: bytes of UTF-8, or one of Latin-1.
Parse percent(const uint8_t *at, size_t n, size_t *used, uint32_t *codePoint) {
  uint8_t lead = 0;
  const Parse first = percentByte(at, n, used, &lead);
  if (first != Parse::kWhole) return first;
  if (lead == 0) return Parse::kNone;
  *codePoint = lead;
  const size_t more = lead < 0xC2 || lead > 0xF4 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  uint32_t value = more == 1 ? lead & 0x1Fu : more == 2 ? lead & 0x0Fu : lead & 0x07u;
  size_t end = *used;
  for (size_t nth = 0; nth < more; ++nth) {
    size_t length = 0;
    uint8_t next = 0;
    const Parse parsed = percentByte(at + end, n - end, &length, &next);
    if (parsed == Parse::kCut) return parsed;
    if (parsed != Parse::kWhole || !isContinuation(next)) return Parse::kWhole;
    value = value << 6 | (next & 0x3Fu);
    end += length;
  }
  const bool wrong = value > 0x10FFFF || (value >= 0xD800 && value < 0xE000) || (more == 2 && value < 0x800) || (more == 3 && value < 0x10000);
  if (more > 0 && !wrong) {
    *codePoint = value;
    *used = end;
  }
  return Parse::kWhole;
}

// What stands beside percent signs in text.
bool isLikely(uint8_t b) { return (b >= ' ' && b < 0x7F) || b == '\n' || b == '\r' || b == '\t'; }

// Whether the escape at text[at] can make a difference: a character, what a value begins behind or goes on after, or a
// line break inside a number.
bool matters(const uint8_t *text, size_t n, size_t at, uint8_t before, bool breaks) {
  if (text[at] == '%') {
    size_t used;
    uint32_t codePoint = 0;
    if (percent(text + at, n - at, &used, &codePoint) != Parse::kWhole) return false;
    // Where such text stands it is ASCII; two bytes of random data that look like an escape are no reason to read twice.
    if (codePoint >= 0x80 && used > 3) return true;
    if (codePoint >= 0x80 ? codePoint < 0xC0 : codePoint < ' ' && codePoint != '\t' && codePoint != '\n' && codePoint != '\r') return false;
    const size_t next = at + used;
    const uint8_t last = at > 0 ? text[at - 1] : before;
    return next + 1 < n && (isAlnum(text[next]) || text[next] == '%') && isLikely(text[next + 1]) && (isLikely(last) || last == 0);
  }
  if (at + 2 >= n) return false;
  const uint8_t letter = text[at + 1], next = text[at + 2];
  if (letter == 'u') return at + 6 <= n && std::all_of(text + at + 2, text + at + 6, isHex);
  if (letter == 'n' || letter == 'r' || letter == 't') {
    if (breaks && (isAlnum(next) || next >= 0x80)) return true;
    if (letter == 't') return false;  // ends a cell, and with it a number
    const uint8_t left = at > 0 ? text[at - 1] : before;
    const size_t behind = at + (letter == 'r' && next == '\\' && at + 3 < n && text[at + 3] == 'n' ? 4 : 2);
    return isAlnum(left) && behind < n && isAlnum(text[behind]) && (isDigit(left) || isDigit(text[behind]));
  }
  return letter == '/' && (isDigit(next) || isDigit(at > 0 ? text[at - 1] : before));
}

#if defined(__x86_64__)
// The first backslash before a letter of an escape, or percent sign before a digit, in text[from, to); or one of the
// last bytes.
SENTINEL_AVX2 size_t likelyEscape(const uint8_t *text, size_t n, size_t from, size_t to) {
  const __m256i slash = _mm256_set1_epi8('\\'), percents = _mm256_set1_epi8('%');
  for (; from < to && from + 33 <= n; from += 32) {
    const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + from));
    const __m256i slashed = _mm256_cmpeq_epi8(here, slash), percented = _mm256_cmpeq_epi8(here, percents);
    if (!_mm256_movemask_epi8(_mm256_or_si256(slashed, percented))) continue;
    const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + from + 1));
    const auto is = [next](char letter) SENTINEL_AVX2 { return _mm256_cmpeq_epi8(next, _mm256_set1_epi8(letter)); };
    const __m256i any = _mm256_or_si256(_mm256_or_si256(is('u'), is('/')), _mm256_or_si256(is('n'), _mm256_or_si256(is('r'), is('t'))));
    // A hex digit behind a percent sign: 0 to 9, A to F, a to f.
    const __m256i digit = _mm256_sub_epi8(next, _mm256_set1_epi8('0')), letter = _mm256_sub_epi8(_mm256_or_si256(next, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
    const __m256i hex = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit), _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(5)), letter));
    const uint32_t found = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(_mm256_and_si256(slashed, any), _mm256_and_si256(percented, hex))));
    if (found) return from + static_cast<size_t>(__builtin_ctz(found));
  }
  return from;
}
#endif

}  // namespace

EscapeParse parseEscape(const uint8_t *at, size_t n, size_t *used, uint32_t *codePoint) {
  if (n > 0 && at[0] == '%') return percent(at, n, used, codePoint);
  size_t i = 0;
  while (i < n && i < kMaxBackslashes && at[i] == '\\') ++i;
  if (i == n) return Parse::kCut;
  *used = i + 1;
  switch (at[i]) {
    // Behind two backslashes it may be a folder's name: no line ends there.
    case 'n': return *codePoint = i % 2 == 1 ? '\n' : ' ', Parse::kWhole;
    case 'r': return *codePoint = i % 2 == 1 ? '\r' : ' ', Parse::kWhole;
    case 't': return *codePoint = '\t', Parse::kWhole;
    case '/':
    case '"': return *codePoint = at[i], Parse::kWhole;
    case 'u': break;
    default: return Parse::kNone;
  }
  const Parse first = unit(at, n, used, codePoint);
  if (first != Parse::kWhole || *codePoint < 0xD800 || *codePoint > 0xDFFF) return first;
  if (*codePoint >= 0xDC00) return Parse::kNone;
  size_t more;
  uint32_t low = 0;
  const Parse second = unit(at + *used, n - *used, &more, &low);
  if (second != Parse::kWhole) return second;
  if (low < 0xDC00 || low > 0xDFFF) return Parse::kNone;
  *codePoint = 0x10000 + ((*codePoint - 0xD800) << 10) + (low - 0xDC00);
  *used += more;
  return Parse::kWhole;
}

size_t nextEscapeSign(const uint8_t *text, size_t from, size_t to) {
#if defined(__x86_64__)
  for (; to - from >= 16; from += 16) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text + from));
    const int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(here, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(here, _mm_set1_epi8('%'))));
    if (found) return from + static_cast<size_t>(__builtin_ctz(static_cast<unsigned>(found)));
  }
#endif
  while (from < to && text[from] != '\\' && text[from] != '%') ++from;
  return from;
}

size_t nextEscape(const uint8_t *text, size_t n, size_t from, size_t to, uint8_t before, bool breaks, bool portable) {
  while (from < to) {
#if defined(__x86_64__)
    if (!portable && hasAvx2()) from = likelyEscape(text, n, from, to);
    if (from >= to) return to;
#endif
    from = nextEscapeSign(text, from, to);
    if (from == to) return to;
    if (matters(text, n, from, before, breaks)) return from;
    ++from;
  }
  return to;
}

}  // namespace sentinel::dlp
