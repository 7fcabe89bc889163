// What a byte can be in a value, and the joiners between the groups of one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dlp/edm_value.h"
#include "dlp/fold.h"

namespace sentinel::dlp {

// kJoinLead: first byte of a joiner outside ASCII.
enum : uint8_t { kDigit = 1, kLetter = 2, kLocal = 4, kDomain = 8, kJoin = 16, kJoinLead = 32 };

struct ByteClasses {
  uint8_t of[256] = {};
  ByteClasses() {
    for (int b = 0; b < 128; ++b) {
      const uint8_t byte = static_cast<uint8_t>(b);
      if (b >= '0' && b <= '9') of[b] |= kDigit;
      if ((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z')) of[b] |= kLetter;
      if (isLocalByte(byte)) of[b] |= kLocal;
      if (isDomainByte(byte)) of[b] |= kDomain;
      if (isJoiner(static_cast<uint32_t>(b))) of[b] |= kJoin;
    }
    of[0xC2] = of[0xE2] = of[0xE3] = of[0xEF] = kJoinLead;
  }
};
extern const ByteClasses kClasses;

inline bool isAlnum(uint8_t byte) { return (kClasses.of[byte] & (kDigit | kLetter)) != 0; }

constexpr size_t kMaxJoiners = 3;

// Joiners from `at` on: how many bytes, 0 when none or more than kMaxJoiners.
size_t joinersAt(const uint8_t *text, size_t n, size_t at);
// The same before `at`, towards the start.
size_t joinersBefore(const uint8_t *text, size_t at);

// What joinersAt says, without a call for the usual case of one ASCII joiner. A readable byte follows the text.
inline size_t joined(const uint8_t *text, size_t n, size_t at) {
  const uint8_t first = kClasses.of[text[at]];
  if (!(first & (kJoin | kJoinLead))) return 0;
  if ((first & kJoin) && !(kClasses.of[text[at + 1]] & (kJoin | kJoinLead))) return at < n ? 1 : 0;
  return joinersAt(text, n, at);
}

}  // namespace sentinel::dlp
