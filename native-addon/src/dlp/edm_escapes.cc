#include "dlp/edm_escapes.h"

#include <string.h>

#include "dlp/fold.h"

namespace sentinel::dlp {
namespace {

int hexDigit(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const uint8_t lower = byte | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// \u00e9: reads the four digits behind `at`, which is the backslash.
bool fourDigits(const uint8_t *text, size_t n, size_t at, uint32_t *value) {
  if (n - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return false;
  *value = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    const int digit = hexDigit(text[i]);
    if (digit < 0) return false;
    *value = *value << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

}  // namespace

bool hasEscape(const uint8_t *text, size_t n) { return n > 0 && (memchr(text, '\\', n) || memchr(text, 0x1B, n)); }

void unescape(const uint8_t *text, size_t n, std::string *out) {
  for (size_t at = 0; at < n;) {
    const uint8_t byte = text[at];
    uint32_t unit, low;
    if (byte == 0x1B && n - at > 2 && text[at + 1] == '[') {
      size_t end = at + 2;
      while (end < n && end - at < kLongestColour + 2 && (text[end] < '@' || text[end] > '~')) ++end;
      at = end + 1;
    } else if (byte != '\\' || n - at < 2) {
      out->push_back(static_cast<char>(byte));
      ++at;
    } else if (fourDigits(text, n, at, &unit)) {
      at += 6;
      if (unit >= 0xD800 && unit < 0xDC00 && fourDigits(text, n, at, &low) && low >= 0xDC00 && low < 0xE000) {
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        at += 6;
      }
      appendUtf8(unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit, out);
    } else if (strchr("ntrbfv", text[at + 1]) && text[at + 1] != 0) {
      out->push_back(' ');
      at += 2;
    } else {
      // \" and \/ are the sign itself.
      out->push_back(static_cast<char>(text[at + 1]));
      at += 2;
    }
  }
}

}  // namespace sentinel::dlp
