#include "dlp/text_judge.h"

#include <cstring>

#include "dlp/byte_sets.h"
#include "dlp/text.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kWords = kMaxJudged / 64;

// High bytes of UTF-16 units that people write; 0x00 depends on the low byte.
constexpr bool likelyHigh(int b) {
  return (b >= 0x01 && b <= 0x06) || (b >= 0x09 && b <= 0x0E) || b == 0x10 || b == 0x11 || b == 0x17 || b == 0x1E || b == 0x1F ||
         b == 0x20 || b == 0x21 || b == 0x25 || b == 0x30 || b == 0x31 || b >= 0xFE || (b >= 0x34 && b <= 0x9F) || (b >= 0xAC && b <= 0xD7);
}
// Low bytes of Latin units.
constexpr bool textLow(int b) { return (b >= 0x20 && b < 0x7F) || (b >= 0x09 && b <= 0x0D) || b >= 0xA0; }
// White space, and high bytes of the scripts of India.
constexpr bool isTab(int b) { return b >= 0x09 && b <= 0x0D; }
// High bytes of the two halves of a character beyond the first plane.
constexpr bool isLead(int b) { return (b & 0xFC) == 0xD8; }
constexpr bool isTrail(int b) { return (b & 0xFC) == 0xDC; }
constexpr bool isControl(int b) { return b < 0x09 || (b > 0x0D && b < 0x20 && b != 0x1B); }

struct Traits {
  uint8_t of[256] = {};
  constexpr Traits() {
    for (int b = 0; b < 256; b++)
      of[b] = static_cast<uint8_t>((b == 0 ? 1 : 0) | (likelyHigh(b) ? 2 : 0) | (textLow(b) ? 4 : 0) | (isControl(b) ? 8 : 0) |
                                   (isLead(b) ? 16 : 0) | (isTrail(b) ? 32 : 0) | (isTab(b) ? 64 : 0));
  }
};
constexpr Traits kTraits;

// A bit for each byte of a block; bytes behind its end are in no set.
struct Census {
  uint64_t zero[kWords + 1], likely[kWords + 1], text[kWords + 1], lead[kWords + 1], trail[kWords + 1];
  size_t printable = 0, controls = 0, tabs = 0, high = 0;
};

void countPortable(const uint8_t* bytes, size_t length, Census* census) {
  for (size_t word = 0; word * 64 < length; word++) {
    const size_t end = length - word * 64 < 64 ? length - word * 64 : 64;
    uint64_t zero = 0, likely = 0, text = 0, high = 0, controls = 0, lead = 0, trail = 0;
    for (size_t i = 0; i < end; i++) {
      const uint64_t traits = kTraits.of[bytes[word * 64 + i]];
      zero |= (traits & 1) << i;
      likely |= (traits >> 1 & 1) << i;
      text |= (traits >> 2 & 1) << i;
      controls |= (traits >> 3 & 1) << i;
      lead |= (traits >> 4 & 1) << i;
      trail |= (traits >> 5 & 1) << i;
      census->tabs += traits >> 6;
      high |= static_cast<uint64_t>(bytes[word * 64 + i] >> 7) << i;
    }
    census->zero[word] = zero;
    census->likely[word] = likely;
    census->text[word] = text;
    census->lead[word] = lead;
    census->trail[word] = trail;
    census->high += static_cast<size_t>(__builtin_popcountll(high));
    census->printable += static_cast<size_t>(__builtin_popcountll(text & ~high));
    census->controls += static_cast<size_t>(__builtin_popcountll(controls));
  }
}

struct Extremes {
  bool zero, high;
};

Extremes extremesPortable(const uint8_t* bytes, size_t length) {
  uint8_t low = 0xFF, high = 0;
  for (size_t i = 0; i < length; i++) {
    low = bytes[i] < low ? bytes[i] : low;
    high = bytes[i] > high ? bytes[i] : high;
  }
  return {low == 0, high >= 0x80};
}

// Whether all of a block is UTF-8, not counting sequences that its edges cut.
bool validPortable(const uint8_t* bytes, size_t length) {
  size_t i = 0;
  while (i < length) {
    while (i + 8 <= length) {
      uint64_t word;
      std::memcpy(&word, bytes + i, 8);
      if (word & 0x8080808080808080ull) break;
      i += 8;
    }
    if (i >= length) break;
    if (bytes[i] < 0x80) {
      i++;
      continue;
    }
    const int size = utf8Sequence(bytes + i, length - i);
    if (size <= 0) return false;
    i += static_cast<size_t>(size);
  }
  return true;
}

#if defined(__x86_64__)

constexpr ByteSet kLikelySet(likelyHigh), kTextSet(textLow), kControlSet(isControl);
// High bytes of every unit that can count as likely.
constexpr ByteSet kPossibleSet([](int b) { return b == 0 || likelyHigh(b) || isLead(b) || isTrail(b); });

// Whether a block is too strange to be UTF-16 or eight-bit text, told from its first few hundred bytes as a rule; false
// when that has to be counted. A census says no other.
SENTINEL_AVX2 bool isNoise(const uint8_t* bytes, size_t length) {
  size_t even = 0, odd = 0, controls = 0;
  // One unit in eight may be unlikely; the first byte is in none of some kinds.
  const size_t most = length / 16 + 1;
  for (size_t at = 0; at + 64 <= length; at += 64) {
    for (size_t part = at; part < at + 64; part += 32) {
      const Halves halves = halvesOf(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + part)));
      const uint32_t impossible = ~members(kPossibleSet, halves);
      even += static_cast<size_t>(__builtin_popcount(impossible & 0x55555555u));
      odd += static_cast<size_t>(__builtin_popcount(impossible & 0xAAAAAAAAu));
      if (controls * 100 <= length) controls += static_cast<size_t>(__builtin_popcount(members(kControlSet, halves)));
    }
    if (even > most && odd > most && controls * 100 > length) return true;
    // Text, of which more need not be read here.
    if (at == 128 && (even < 12 || odd < 12 || controls == 0)) return false;
  }
  return false;
}

SENTINEL_AVX2 void countAvx2(const uint8_t* bytes, size_t length, Census* census) {
  for (size_t word = 0; word * 64 < length; word++) {
    uint8_t padded[64];
    const uint8_t* from = bytes + word * 64;
    uint64_t inside = ~0ull;
    if (length - word * 64 < 64) {
      std::memset(padded, 0, sizeof padded);
      std::memcpy(padded, from, length - word * 64);
      inside = (1ull << (length - word * 64)) - 1;
      from = padded;
    }
    uint64_t zero = 0, likely = 0, text = 0, high = 0, controls = 0, lead = 0, trail = 0, tabs = 0;
    for (int part = 0; part < 64; part += 32) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + part));
      const Halves halves = halvesOf(v);
      zero |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_setzero_si256())))) << part;
      high |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(v))) << part;
      likely |= static_cast<uint64_t>(members(kLikelySet, halves)) << part;
      text |= static_cast<uint64_t>(members(kTextSet, halves)) << part;
      controls |= static_cast<uint64_t>(members(kControlSet, halves)) << part;
      const __m256i sixth = _mm256_and_si256(v, _mm256_set1_epi8(static_cast<char>(0xFC)));
      lead |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(sixth, _mm256_set1_epi8(static_cast<char>(0xD8)))))) << part;
      trail |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(sixth, _mm256_set1_epi8(static_cast<char>(0xDC)))))) << part;
      const __m256i fromTab = _mm256_sub_epi8(v, _mm256_set1_epi8(0x09));
      tabs |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(fromTab, _mm256_min_epu8(fromTab, _mm256_set1_epi8(4)))))) << part;
    }
    census->zero[word] = zero & inside;
    census->likely[word] = likely & inside;
    census->text[word] = text & inside;
    census->lead[word] = lead & inside;
    census->trail[word] = trail & inside;
    census->tabs += static_cast<size_t>(__builtin_popcountll(tabs & inside));
    census->high += static_cast<size_t>(__builtin_popcountll(high & inside));
    census->printable += static_cast<size_t>(__builtin_popcountll(text & ~high & inside));
    census->controls += static_cast<size_t>(__builtin_popcountll(controls & inside));
  }
}

SENTINEL_AVX2 Extremes extremesAvx2(const uint8_t* bytes, size_t length) {
  __m256i low = _mm256_set1_epi8(-1), any = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 64 <= length; i += 64) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i + 32));
    low = _mm256_min_epu8(low, _mm256_min_epu8(a, b));
    any = _mm256_or_si256(any, _mm256_or_si256(a, b));
  }
  Extremes seen{_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, _mm256_setzero_si256())) != 0, _mm256_movemask_epi8(any) != 0};
  for (; i < length; i++) {
    seen.zero |= bytes[i] == 0;
    seen.high |= bytes[i] >= 0x80;
  }
  return seen;
}

// "Validating UTF-8 in less than one instruction per byte" (Keiser, Lemire): three lookups tell what two bytes in a row
// can have wrong, and where a third or fourth byte must be.
SENTINEL_AVX2 inline __m256i wrongPairs(__m256i bytes, __m256i before) {
  constexpr uint8_t kShort = 1, kLong = 2, kOver3 = 4, kLarge = 8, kSurrogate = 16, kOver2 = 32, kLarge1000 = 64, kOver4 = 64, kTwo = 128;
  constexpr uint8_t kCarry = kShort | kLong | kTwo, kBeyond = kCarry | kLarge | kLarge1000;
  alignas(16) static const uint8_t firstHigh[16] = {kLong, kLong, kLong, kLong, kLong, kLong, kLong, kLong, kTwo, kTwo, kTwo, kTwo,
                                                    kShort | kOver2, kShort, kShort | kOver3 | kSurrogate, kShort | kLarge | kLarge1000 | kOver4};
  alignas(16) static const uint8_t firstLow[16] = {kCarry | kOver3 | kOver2 | kOver4, kCarry | kOver2, kCarry, kCarry, kCarry | kLarge, kBeyond, kBeyond,
                                                   kBeyond, kBeyond, kBeyond, kBeyond, kBeyond, kBeyond, kBeyond | kSurrogate, kBeyond, kBeyond};
  alignas(16) static const uint8_t secondHigh[16] = {kShort, kShort, kShort, kShort, kShort, kShort, kShort, kShort,
                                                     kLong | kOver2 | kTwo | kOver3 | kLarge1000 | kOver4, kLong | kOver2 | kTwo | kOver3 | kLarge,
                                                     kLong | kOver2 | kTwo | kSurrogate | kLarge, kLong | kOver2 | kTwo | kSurrogate | kLarge,
                                                     kShort, kShort, kShort, kShort};
  const __m256i half = _mm256_set1_epi8(15), across = _mm256_permute2x128_si256(before, bytes, 0x21);
  const __m256i one = _mm256_alignr_epi8(bytes, across, 15), two = _mm256_alignr_epi8(bytes, across, 14),
                three = _mm256_alignr_epi8(bytes, across, 13);
  const __m256i wrong = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(twice(firstHigh), _mm256_and_si256(_mm256_srli_epi16(one, 4), half)),
                       _mm256_shuffle_epi8(twice(firstLow), _mm256_and_si256(one, half))),
      _mm256_shuffle_epi8(twice(secondHigh), _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
  const __m256i further = _mm256_or_si256(_mm256_subs_epu8(two, _mm256_set1_epi8(0xE0 - 0x80)),
                                          _mm256_subs_epu8(three, _mm256_set1_epi8(static_cast<char>(0xF0 - 0x80))));
  return _mm256_xor_si256(_mm256_and_si256(further, _mm256_set1_epi8(static_cast<char>(0x80))), wrong);
}

SENTINEL_AVX2 bool validAvx2(const uint8_t* bytes, size_t length) {
  __m256i wrong = _mm256_setzero_si256(), before = _mm256_setzero_si256();
  bool open = false;  // the vector before ended in a sequence that may go on
  size_t i = 0;
  for (; i + 32 <= length; i += 32) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + i));
    const uint32_t high = static_cast<uint32_t>(_mm256_movemask_epi8(v));
    if (high != 0 || open) wrong = _mm256_or_si256(wrong, wrongPairs(v, before));
    open = high >> 29 != 0;
    before = v;
  }
  // Zeros behind the end: a sequence that is still open is wrong.
  alignas(32) uint8_t padded[32] = {};
  std::memcpy(padded, bytes + i, length - i);
  wrong = _mm256_or_si256(wrong, wrongPairs(_mm256_load_si256(reinterpret_cast<const __m256i*>(padded)), before));
  return _mm256_testz_si256(wrong, wrong) != 0;
}

#endif

bool validInside(const uint8_t* bytes, size_t length, bool vectors) {
  size_t from = 0;
  while (from < length && from < 3 && (bytes[from] & 0xC0) == 0x80) from++;
  for (size_t back = 1; back <= 3 && back <= length - from; back++) {
    const uint8_t byte = bytes[length - back];
    if ((byte & 0xC0) == 0x80) continue;
    if (byte >= 0xC2 && utf8Sequence(bytes + length - back, back) < 0) length -= back;
    break;
  }
#if defined(__x86_64__)
  if (vectors) return validAvx2(bytes + from, length - from);
#endif
  return validPortable(bytes + from, length - from);
}

// 0 if the block is hardly UTF-16 of this kind; more for more characters, and most for those of Latin scripts.
// A block that goes on with what the one before was may begin with anything.
inline __attribute__((always_inline)) size_t utf16Score(const Census& census, size_t length, Judgement kind, bool goesOn) {
  const size_t first = kind.odd ? 1 : 0;
  if (length < first + 2) return 0;
  const size_t units = (length - first) / 2, end = first + units * 2;
  const uint64_t starts = kind.odd ? 0xAAAAAAAAAAAAAAAAull : 0x5555555555555555ull;
  size_t likely = 0, narrow = 0;
  uint64_t leads = 0, carry = goesOn ? 3 : 0;  // carry: the last unit of the word before was a lead
  for (size_t word = 0; word * 64 < end; word++) {
    const auto next = [word](const uint64_t* bits) { return bits[word] >> 1 | bits[word + 1] << 63; };
    const auto high = [&](const uint64_t* bits) { return kind.bigEndian ? bits[word] : next(bits); };
    uint64_t mask = starts;
    if (end - word * 64 < 64) mask &= (1ull << (end - word * 64)) - 1;
    const uint64_t text = mask & (kind.bigEndian ? census.zero[word] & next(census.text) : next(census.zero) & census.text[word]);
    leads = mask & high(census.lead);
    // A trail behind a lead is likely, and so is the lead.
    const uint64_t trails = mask & high(census.trail) & (leads << 2 | carry);
    const uint64_t both = text | (mask & high(census.likely)) | trails | trails >> 2;
    // What does not look like it from the beginning is not counted to the end.
    if (word == 0 && !goesOn && units >= 16 && __builtin_popcountll(both & 0xFFFFFFFFull << first) < 12) return 0;
    likely += static_cast<size_t>(__builtin_popcountll(both)) + (word > 0 && (trails & carry) != 0 ? 1 : 0);
    narrow += static_cast<size_t>(__builtin_popcountll(text));
    carry = leads >> 62;
  }
  // A lead at the end has its trail in the next block.
  likely += leads >> (end - 2) % 64 & 1;
  return likely * 8 >= units * 7 ? likely + narrow : 0;
}

// The kind that is likeliest UTF-16, or pass. What the bytes before were is tried first.
inline __attribute__((always_inline)) Judgement likeliestUtf16(const Census& census, size_t length, Judgement now) {
  size_t best = 0, margin = 0;
  Judgement result{TextMode::kPass, false, false};
  for (int i = now.mode == TextMode::kUtf16 ? -1 : 0; i < 4; i++) {
    const Judgement candidate = i < 0 ? now : Judgement{TextMode::kUtf16, (i & 1) != 0, (i & 2) != 0};
    const size_t score = utf16Score(census, length, candidate, i < 0);
    // Latin text reads alike at both alignments, and any may hold odd characters: only a clear difference tells.
    if (score == 0 || score <= best + margin) continue;
    best = score;
    margin = i < 0 ? best / 2 : length / 16;
    result = candidate;
  }
  return result;
}

// Cyrillic and Greek in UTF-8 read as Korean in UTF-16, so that a zero among them, as in databases, makes them look like
// it. Text in UTF-16 that happens to be UTF-8 has hardly any high bytes, or a zero in most of its units.
constexpr size_t kEnoughHigh = 8;
bool fewZeros(const Census& census, size_t length) {
  size_t zeros = 0;
  for (size_t word = 0; word * 64 < length; word++) zeros += static_cast<size_t>(__builtin_popcountll(census.zero[word]));
  return zeros * 8 < length;
}

// Text of an eight-bit or East Asian code has no control characters but zeros between strings. In UTF-16 there are: the
// zeros of every other byte of Latin words and digits, the high bytes of most alphabets, low bytes of one in ten
// characters of the others.
bool hasControls(const Census& census, size_t length, Judgement now) {
  if (now.mode == TextMode::kUtf16) return census.controls > 0 || length < 256;
  size_t strange = census.controls;
  for (size_t word = 0; word * 64 < length; word++) {
    const uint64_t zero = census.zero[word], single = zero & ~(zero << 1) & ~(zero >> 1);
    strange -= static_cast<size_t>(__builtin_popcountll(zero & ~(single & (single << 2 | single >> 2))));
  }
  return strange * 100 > length;
}

Judgement utf16Portable(const Census& census, size_t length, Judgement now) { return likeliestUtf16(census, length, now); }
#if defined(__x86_64__)
SENTINEL_AVX2 Judgement utf16Avx2(const Census& census, size_t length, Judgement now) { return likeliestUtf16(census, length, now); }
#endif

}  // namespace

Judgement judgeBlock(const uint8_t* bytes, size_t length, Judgement now, bool portable) {
  bool vectors = false;
#if defined(__x86_64__)
  vectors = !portable && hasAvx2();
  const Extremes seen = vectors ? extremesAvx2(bytes, length) : extremesPortable(bytes, length);
#else
  const Extremes seen = extremesPortable(bytes, length);
#endif
  const bool mayEndUtf16 = now.mode == TextMode::kUtf16 && length < 32;
  if (!seen.zero && !mayEndUtf16 && (!seen.high || validInside(bytes, length, vectors))) return {TextMode::kPass, false, false};
#if defined(__x86_64__)
  if (vectors && now.mode != TextMode::kUtf16 && isNoise(bytes, length)) return {TextMode::kPass, false, false};
#endif
  Census census;
  // A unit may reach into the word behind the last one.
  const size_t last = (length + 63) / 64;
  census.zero[last] = census.likely[last] = census.text[last] = census.lead[last] = census.trail[last] = 0;
#if defined(__x86_64__)
  if (vectors) countAvx2(bytes, length, &census);
  else countPortable(bytes, length, &census);
#else
  countPortable(bytes, length, &census);
#endif
  // A few bytes without a zero among them say nothing.
  const bool enough = seen.zero || length >= 32 || now.mode == TextMode::kUtf16;
  const bool indic = seen.zero && census.tabs * (now.mode == TextMode::kUtf16 ? 8 : 4) >= length;
  if (enough && hasControls(census, length, now) && (census.printable * 5 < length * 4 || mayEndUtf16 || indic)) {
#if defined(__x86_64__)
    const Judgement wide = vectors ? utf16Avx2(census, length, now) : utf16Portable(census, length, now);
#else
    const Judgement wide = utf16Portable(census, length, now);
#endif
    if (wide.mode == TextMode::kUtf16 && !(fewZeros(census, length) && census.high >= kEnoughHigh && validInside(bytes, length, vectors))) return wide;
  }
  if (seen.high && census.controls * 100 <= length && !validInside(bytes, length, vectors)) return {TextMode::kEightBit, false, false};
  return {TextMode::kPass, false, false};
}

}  // namespace sentinel::dlp
