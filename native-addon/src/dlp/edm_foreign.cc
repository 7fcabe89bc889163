#include "dlp/edm_foreign.h"

#include <string.h>

#include <algorithm>

#include "dlp/byte_sets.h"
#include "dlp/edm_bytes.h"
#include "dlp/edm_candidates.h"

namespace sentinel::dlp {
namespace {

// Whether a value can hold the ASCII form of this character; a full-width comma only ends what a comma ends.
bool matters(uint32_t codePoint) {
  const uint8_t form = asciiFormOf(codePoint);
  return form == '@' || kClasses.of[form] != 0;
}

// First two bytes of characters that matter.
struct ForeignLeads {
  uint64_t seconds[256] = {};  // by lead byte, bit per second byte from 0x80
  // A bit per lead byte, by the halves of lead and second byte.
  uint8_t leadLow[16] = {}, leadHigh[16] = {}, secondLow[16] = {}, secondHigh[16] = {};
  ForeignLeads() {
    const ByteClasses classes;
    for (uint32_t codePoint = 0x660; codePoint < 0x20000; ++codePoint) {
      const uint8_t form = asciiFormOf(codePoint);
      if (form != '@' && !classes.of[form]) continue;
      const uint32_t shift = codePoint < 0x800 ? 6 : codePoint < 0x10000 ? 12 : 18;
      const uint32_t lead = (shift == 6 ? 0xC0 : shift == 12 ? 0xE0 : 0xF0) | codePoint >> shift;
      seconds[lead] |= 1ull << (codePoint >> (shift - 6) & 63);
    }
    uint32_t kinds = 0;
    for (uint32_t lead = 0; lead < 256; ++lead) {
      if (!seconds[lead]) continue;
      // There are eight; were there more, two would share a bit and more places be looked at.
      const uint8_t bit = static_cast<uint8_t>(1u << (kinds++ & 7));
      leadLow[lead & 15] |= bit;
      leadHigh[lead >> 4] |= bit;
      for (uint32_t second = 0; second < 64; ++second) {
        if (!(seconds[lead] >> second & 1)) continue;
        secondLow[second & 15] |= bit;
        secondHigh[8 + (second >> 4)] |= bit;
      }
    }
  }
};
const ForeignLeads kForeign;

inline bool mayBeForeign(const uint8_t *at) { return (at[1] & 0xC0) == 0x80 && (kForeign.seconds[at[0]] >> (at[1] & 63) & 1) != 0; }

#if defined(__x86_64__)
// First place in [from, to) where a character that matters may begin, by its first two bytes.
SENTINEL_AVX2 size_t foreignLeadAvx2(const uint8_t *text, size_t from, size_t to) {
  const __m256i half = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  const __m256i leadLow = twice(kForeign.leadLow), leadHigh = twice(kForeign.leadHigh);
  const __m256i secondLow = twice(kForeign.secondLow), secondHigh = twice(kForeign.secondHigh);
  for (size_t at = from; at < to; at += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + at));
    if (!_mm256_movemask_epi8(bytes)) continue;
    const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + at + 1));
    const __m256i leads = _mm256_and_si256(_mm256_shuffle_epi8(leadLow, _mm256_and_si256(bytes, half)),
                                           _mm256_shuffle_epi8(leadHigh, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
    const __m256i seconds = _mm256_and_si256(_mm256_shuffle_epi8(secondLow, _mm256_and_si256(next, half)),
                                             _mm256_shuffle_epi8(secondHigh, _mm256_and_si256(_mm256_srli_epi16(next, 4), half)));
    uint32_t found = ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(leads, seconds), zero)));
    for (; found; found &= found - 1) {
      const size_t place = at + static_cast<size_t>(__builtin_ctz(found));
      if (place >= to) return to;
      if (mayBeForeign(text + place)) return place;
    }
  }
  return to;
}
#endif

size_t foreignLead(const uint8_t *text, size_t from, size_t to) {
  for (size_t at = from; at < to;) {
    uint64_t eight;
    memcpy(&eight, text + at, 8);
    const uint64_t set = eight & 0x8080808080808080ull;
    if (!set) {
      at += 8;
      continue;
    }
    at += static_cast<size_t>(__builtin_ctzll(set)) / 8;
    if (at < to && mayBeForeign(text + at)) return at;
    ++at;
  }
  return to;
}

}  // namespace

size_t nextForeignForm(const uint8_t *text, size_t n, size_t from, size_t to, bool portable) {
  for (size_t at = from;; ++at) {
#if defined(__x86_64__)
    at = hasAvx2() && !portable ? foreignLeadAvx2(text, at, to) : foreignLead(text, at, to);
#else
    at = foreignLead(text, at, to);
#endif
    if (at >= to) return to;
    uint32_t length;
    if (matters(readCodePoint(text, n, at, &length))) return at;
  }
}

uint8_t foreignFormAt(const uint8_t *text, size_t n, size_t at, uint32_t *length) {
  *length = 1;
  if (!mayBeForeign(text + at)) return 0;
  const uint8_t form = asciiFormOf(readCodePoint(text, n, at, length));
  if (!form) *length = 1;
  return form;
}

void runAround(const uint8_t *text, size_t n, size_t at, size_t *begin, size_t *end) {
  const auto inRun = [](uint32_t codePoint) {
    if (codePoint < 0x80) return kClasses.of[codePoint] != 0 || codePoint == '@';
    return isJoiner(codePoint) || asciiFormOf(codePoint) != 0;
  };
  const size_t low = at > kReach ? at - kReach : 0, high = std::min(n, at + kReach);
  uint32_t length;
  *begin = *end = at;
  while (*end < high && inRun(readCodePoint(text, n, *end, &length))) *end += length;
  while (*begin > low) {
    size_t before = *begin - 1;
    while (before > low && *begin - before < 4 && (text[before] & 0xC0) == 0x80) --before;
    const uint32_t codePoint = readCodePoint(text, *begin, before, &length);
    if (before + length != *begin || !inRun(codePoint)) break;
    *begin = before;
  }
}

}  // namespace sentinel::dlp
