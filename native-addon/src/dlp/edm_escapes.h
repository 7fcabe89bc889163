// Escapes beside values: \n and \u00e9 in JSON, SQL dumps and source code, colours in what terminals were sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sentinel::dlp {

// Of a colour between [ and its last letter: 1;38;2;255;255;255 and some more.
constexpr size_t kLongestColour = 24;

// Whether an escape ends right before `at`, so that a value may begin there. Bytes before the text are readable.
inline bool escapeEndsAt(const uint8_t *text, size_t at) {
  if (at < 2) return false;
  const uint8_t last = text[at - 1];
  if (text[at - 2] == '\\') return last == 'n' || last == 't' || last == 'r' || last == 'b' || last == 'f' || last == 'v';
  if (last != 'm' && last != 'K') return false;
  size_t begin = at - 1;
  while (begin > 0 && at - begin <= kLongestColour && ((text[begin - 1] >= '0' && text[begin - 1] <= '9') || text[begin - 1] == ';')) --begin;
  return begin >= 2 && text[begin - 1] == '[' && text[begin - 2] == 0x1B;
}

// Whether there is something for unescape to do.
bool hasEscape(const uint8_t *text, size_t n);

// The text that JSON, SQL or a source file writes with escapes, in UTF-8; colours are left out.
void unescape(const uint8_t *text, size_t n, std::string *out);

}  // namespace sentinel::dlp
