// Text in blocks of 64 bytes, a bit per byte, and runs of digits and letters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dlp/byte_sets.h"
#include "dlp/edm_bytes.h"

namespace sentinel::dlp {

struct Masks {
  uint64_t digit, letter, at;
};

inline Masks classifyPortable(const uint8_t *text) {
  Masks masks{0, 0, 0};
  for (int i = 0; i < 64; ++i) {
    const uint8_t c = kClasses.of[text[i]];
    masks.digit |= static_cast<uint64_t>(c & kDigit) << i;
    masks.letter |= static_cast<uint64_t>((c & kLetter) >> 1) << i;
    masks.at |= static_cast<uint64_t>(text[i] == '@') << i;
  }
  return masks;
}

// Every byte of every joiner; outside ASCII other characters share them.
constexpr bool inJoiner(int b) {
  return b == ' ' || b == '-' || b == '.' || b == '/' || b == '_' || b == '(' || b == ')' || b == '\n' || b == '\r' || (b >= 0x80 && b < 0xC0) ||
         b == 0xC2 || b == 0xE2 || b == 0xE3 || b == 0xEF;
}

inline uint64_t joinersPortable(const uint8_t *text) {
  uint64_t joiners = 0;
  for (int i = 0; i < 64; ++i) joiners |= static_cast<uint64_t>(inJoiner(text[i])) << i;
  return joiners;
}

#if defined(__x86_64__)
SENTINEL_AVX2 inline uint64_t inRange(__m256i a, __m256i b, char first, char count) {
  // Signed compare after moving the range to the bottom.
  const __m256i offset = _mm256_set1_epi8(static_cast<char>(-128 - first));
  const __m256i limit = _mm256_set1_epi8(static_cast<char>(-128 + count));
  const uint32_t low = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(limit, _mm256_add_epi8(a, offset))));
  const uint32_t high = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(limit, _mm256_add_epi8(b, offset))));
  return static_cast<uint64_t>(high) << 32 | low;
}

SENTINEL_AVX2 inline Masks classifyAvx2(const uint8_t *text) {
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text));
  const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + 32));
  const __m256i caseBit = _mm256_set1_epi8(0x20), sign = _mm256_set1_epi8('@');
  Masks masks;
  masks.digit = inRange(a, b, '0', 10);
  masks.letter = inRange(_mm256_or_si256(a, caseBit), _mm256_or_si256(b, caseBit), 'a', 26);
  masks.at = static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, sign)))) << 32 |
             static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, sign)));
  return masks;
}

SENTINEL_AVX2 inline uint64_t joinersAvx2(const uint8_t *text) {
  static constexpr ByteSet joiners(inJoiner);
  const uint32_t low = members(joiners, halvesOf(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(text))));
  const uint32_t high = members(joiners, halvesOf(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + 32))));
  return static_cast<uint64_t>(high) << 32 | low;
}
#endif

// Bit i: `bits` has ones from i on, `count` of them; what stands behind the block counts as ones.
inline uint64_t startsOfRuns(uint64_t bits, uint32_t count) {
  uint64_t broken = ~bits;
  uint32_t covered = 1;
  for (; covered * 2 <= count; covered *= 2) broken |= broken >> covered;
  if (covered < count) broken |= broken >> (count - covered);
  return ~broken;
}

// Digits from `at` on, up to 63; what follows the text is no digit.
inline size_t digitRun(const uint8_t *at) {
#if defined(__x86_64__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(at));
  const __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(-128 - '0')));
  const uint32_t digits = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmplt_epi8(moved, _mm_set1_epi8(-128 + 10))));
  if (digits != 0xFFFF) return static_cast<size_t>(__builtin_ctz(~digits));
  size_t n = 16;
#else
  size_t n = 0;
#endif
  while (n < 63 && at[n] >= '0' && at[n] <= '9') ++n;
  return n;
}

#if defined(__x86_64__)
inline __m128i between(__m128i bytes, char first, char count) {
  const __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(-128 - first)));
  return _mm_cmplt_epi8(moved, _mm_set1_epi8(static_cast<char>(-128 + count)));
}

// Bit per byte of sixteen: ASCII letter or digit; with `mail` also what else stands in a domain, and in a local part.
inline uint32_t alnumBits(const uint8_t *at, bool mail, bool local) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i *>(at));
  __m128i in = _mm_or_si128(between(bytes, '0', 10), between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 26));
  if (mail) in = _mm_or_si128(in, between(bytes, '-', 2));  // - and .
  if (local) {
    in = _mm_or_si128(in, _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('+')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\'')))));
  }
  return static_cast<uint32_t>(_mm_movemask_epi8(in));
}
#endif

// Letters and digits from `at` on, counted to 48 at most.
inline size_t alnumRun(const uint8_t *at) {
  size_t n = 0;
#if defined(__x86_64__)
  for (; n < 48; n += 16) {
    const uint32_t in = alnumBits(at + n, false, false);
    if (in != 0xFFFF) return n + static_cast<size_t>(__builtin_ctz(~in));
  }
#else
  while (n < 48 && isAlnum(at[n])) ++n;
#endif
  return n;
}

}  // namespace sentinel::dlp
