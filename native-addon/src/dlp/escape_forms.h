// How a character is escaped in text: backslashes of JSON and JavaScript, percent signs of addresses and forms.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sentinel::dlp {

// More than two escapes of a surrogate pair take, or those of a character of four bytes.
constexpr size_t kLongestEscape = 40;

// kCut: the end of the text cuts what may be an escape.
enum class EscapeParse { kNone, kWhole, kCut };

// The escape at the backslash or percent sign `at`: how many of the n bytes it takes, and the character.
EscapeParse parseEscape(const uint8_t *at, size_t n, size_t *used, uint32_t *codePoint);

// The first backslash or percent sign in text[from, to); `to` for none.
size_t nextEscapeSign(const uint8_t *text, size_t from, size_t to);

// The first escape in text[from, to) that can make a difference to what is found; `to` for none. `before` is the byte
// before the text, 0 if there is none; with `breaks`, a line break alone is worth a second reading.
size_t nextEscape(const uint8_t *text, size_t n, size_t from, size_t to, uint8_t before, bool breaks, bool portable);

}  // namespace sentinel::dlp
