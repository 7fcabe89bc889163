#include "dlp/edm_bytes.h"

namespace sentinel::dlp {

const ByteClasses kClasses;

size_t joinersAt(const uint8_t *text, size_t n, size_t at) {
  const size_t from = at;
  for (size_t count = 0; at < n; ++count) {
    uint32_t length = 1;
    if (text[at] < 0x80 ? !(kClasses.of[text[at]] & kJoin) : !isJoiner(readCodePoint(text, n, at, &length))) break;
    if (count == kMaxJoiners) return 0;
    at += length;
  }
  return at - from;
}

size_t joinersBefore(const uint8_t *text, size_t at) {
  const size_t from = at;
  for (size_t count = 0; at > 0; ++count) {
    if (text[at - 1] < 0x80) {
      if (!(kClasses.of[text[at - 1]] & kJoin)) break;
      if (count == kMaxJoiners) return 0;
      --at;
      continue;
    }
    size_t begin = at - 1;
    while (begin > 0 && at - begin < 4 && (text[begin] & 0xC0) == 0x80) --begin;
    uint32_t length = 1;
    const uint32_t codePoint = readCodePoint(text, at, begin, &length);
    if (begin + length != at || !isJoiner(codePoint)) break;
    if (count == kMaxJoiners) return 0;
    at = begin;
  }
  return from - at;
}

}  // namespace sentinel::dlp
