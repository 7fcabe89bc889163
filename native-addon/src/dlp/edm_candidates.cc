#include "dlp/edm_candidates.h"

#include <string.h>

#include <algorithm>

#include "dlp/fold.h"
#include "dlp/validators.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sentinel::dlp {
namespace {

enum : uint8_t { kDigit = 1, kLetter = 2, kLocal = 4, kDomain = 8, kJoin = 16 };

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
  }
};
const ByteClasses kClasses;

// First two bytes of characters that have an ASCII form.
struct ForeignLeads {
  uint64_t seconds[256] = {};  // by lead byte, bit per second byte from 0x80
  ForeignLeads() {
    for (uint32_t codePoint = 0x660; codePoint < 0x20000; ++codePoint) {
      if (!asciiFormOf(codePoint)) continue;
      const uint32_t shift = codePoint < 0x800 ? 6 : codePoint < 0x10000 ? 12 : 18;
      const uint32_t lead = (shift == 6 ? 0xC0 : shift == 12 ? 0xE0 : 0xF0) | codePoint >> shift;
      seconds[lead] |= 1ull << (codePoint >> (shift - 6) & 63);
    }
  }
};
const ForeignLeads kForeign;

inline bool mayBeForeign(const uint8_t *at) { return (at[1] & 0xC0) == 0x80 && (kForeign.seconds[at[0]] >> (at[1] & 63) & 1) != 0; }

inline bool isAlnum(uint8_t byte) { return (kClasses.of[byte] & (kDigit | kLetter)) != 0; }

struct Masks {
  uint64_t digit, letter, at;
};

Masks classifyPortable(const uint8_t *text) {
  Masks masks{0, 0, 0};
  for (int i = 0; i < 64; ++i) {
    const uint8_t c = kClasses.of[text[i]];
    masks.digit |= static_cast<uint64_t>(c & kDigit) << i;
    masks.letter |= static_cast<uint64_t>((c & kLetter) >> 1) << i;
    masks.at |= static_cast<uint64_t>(text[i] == '@') << i;
  }
  return masks;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) inline uint64_t inRange(__m256i a, __m256i b, char first, char count) {
  // Signed compare after moving the range to the bottom.
  const __m256i offset = _mm256_set1_epi8(static_cast<char>(-128 - first));
  const __m256i limit = _mm256_set1_epi8(static_cast<char>(-128 + count));
  const uint32_t low = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(limit, _mm256_add_epi8(a, offset))));
  const uint32_t high = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi8(limit, _mm256_add_epi8(b, offset))));
  return static_cast<uint64_t>(high) << 32 | low;
}

__attribute__((target("avx2"))) inline Masks classifyAvx2(const uint8_t *text) {
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
#endif

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

// What joinersAt says, without a call for the usual case of one ASCII joiner.
inline size_t joined(const uint8_t *text, size_t n, size_t at) {
  const uint8_t first = text[at], second = text[at + 1];
  if (first < 0x80 && second < 0x80) {
    if (!(kClasses.of[first] & kJoin)) return 0;
    if (!(kClasses.of[second] & kJoin)) return at < n ? 1 : 0;
  }
  return joinersAt(text, n, at);
}

class Finder {
 public:
  Finder(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, CandidateSink *sink)
      : keys_(keys),
        wanted_(wanted),
        text_(text),
        n_(n),
        sink_(sink),
        ibanOnly_(wanted.idLeads == 1u << 2 && !(wanted.lone.id[2] | wanted.combined.id[2])) {}

  // `begin` is the first digit of a run of digits.
  inline __attribute__((always_inline)) void digitAt(size_t begin) {
    const uint8_t before = begin == 0 ? 0 : text_[begin - 1];
    if (wanted_.digits && !(kClasses.of[before] & kLetter)) digitsFrom(begin);
    if (wanted_.idLeads) alnumFrom(begin);
  }

  // `at` is an @.
  void emailAt(size_t at) {
    size_t begin = at, end = at + 1;
#if defined(__x86_64__)
    // Sixteen bytes at a time; the bytes before and behind the text are readable, and zeros behind it.
    while (begin >= 16 && at - begin < kMaxEmail) {
      const uint32_t out = ~alnumBits(text_ + begin - 16, true, true) & 0xFFFF;
      begin -= out ? static_cast<size_t>(__builtin_clz(out)) - 16 : 16;
      if (out) break;
    }
    while (end < n_ && end - at < kMaxEmail) {
      const uint32_t out = ~alnumBits(text_ + end, true, false) & 0xFFFF;
      end += out ? static_cast<size_t>(__builtin_ctz(out)) : 16;
      if (out) break;
    }
    if (at - begin > kMaxEmail) begin = at - kMaxEmail;
    if (end - at > kMaxEmail) end = at + kMaxEmail;
#endif
    while (begin > 0 && at - begin < kMaxEmail && (kClasses.of[text_[begin - 1]] & kLocal)) --begin;
    while (end < n_ && end - at < kMaxEmail && (kClasses.of[text_[end]] & kDomain)) ++end;
    if (!trimEmail(text_, at, &begin, &end)) return;
    uint8_t normal[kMaxEmail + 1];
    const size_t length = end - begin;
    for (size_t i = 0; i < length; ++i) {
      const uint8_t byte = text_[begin + i];
      normal[i] = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
    emit(ValueClass::kEmail, normal, length, begin, end, wanted_.lone.email, wanted_.combined.email);
  }

 private:
  inline __attribute__((always_inline)) void digitsFrom(size_t begin) {
    size_t total = 0, at = begin;
    for (;;) {
      const size_t end = at + digitRun(text_ + at);
      total += end - at;
      if (total > wanted_.maxDigits) return;
      const uint8_t next = text_[end];
      // The digits are gathered only when their number is one that is looked for; a group with a letter is none.
      if ((wanted_.digits >> total & 1) && !(kClasses.of[next] & kLetter)) digitsFound(total, begin, end);
      if (next < 0x80 && !(kClasses.of[next] & kJoin)) return;
      const size_t between = joined(text_, n_, end);
      at = end + between;
      if (between == 0 || !(kClasses.of[text_[at]] & kDigit)) return;
    }
  }

  void digitsFound(size_t n, size_t begin, size_t end) {
    uint8_t digits[kMaxDigits + 1];
    size_t gathered = 0;
    for (size_t at = begin; at < end; ++at) {
      digits[gathered] = text_[at];
      gathered += kClasses.of[text_[at]] & kDigit;
    }
    const uint64_t bit = 1ull << n;
    const auto counts = [&](const Shapes &shapes) {
      return (shapes.number & bit) || ((shapes.card & bit) && luhnValid(digits, n)) || ((shapes.ssn & bit) && ssnValid(digits, n));
    };
    const bool lone = counts(wanted_.lone), combined = counts(wanted_.combined);
    if (lone || combined) emit(ValueClass::kDigits, digits, n, begin, end, lone, combined);
    if (wanted_.combined.phone && n >= 5 && n <= 15) {
      const uint8_t *from;
      const size_t length = phoneForm(digits, n, &from);
      if (wanted_.combined.phone >> length & 1) emit(ValueClass::kPhone, from, length, begin, end, false, true);
    }
  }

  // Ids and IBANs whose first digit is at `digit`.
  inline __attribute__((always_inline)) void alnumFrom(size_t digit) {
    const uint8_t before = digit == 0 ? 0 : text_[digit - 1];
    // Most numbers stand behind a comma, a quote or a bracket: nothing leads them.
    if (before < 0x80 && !(kClasses.of[before] & (kLetter | kJoin))) {
      if (wanted_.idLeads & 1) alnumForward(nullptr, 0, digit, digit);
      return;
    }
    if (ibanOnly_ && (kClasses.of[before] & kLetter)) {
      // Usually "de89": two letters that begin a group, and those of a country.
      const uint8_t country = digit < 2 ? 0 : text_[digit - 2];
      if (kClasses.of[country] & kLetter) {
        if (digit > 2 && isAlnum(text_[digit - 3])) return;
        const size_t length = ibanLength(country & 0xDF, before & 0xDF);
        if (!length) return;
        const size_t run = alnumRun(text_ + digit - 2);
        if (run > length) return;
        if (run == length) return compactIban(digit - 2, length);
      } else if (country < 0x80 && !(kClasses.of[country] & kJoin)) {
        return;
      }
    }
    if (!(wanted_.idLeads & 1) && (kClasses.of[before] & kJoin)) {
      const uint8_t further = digit < 2 ? 0 : text_[digit - 2];
      if (further < 0x80 && !(kClasses.of[further] & (kLetter | kJoin))) return;
    }
    ledFrom(digit);
  }

  // An IBAN written without joiners.
  void compactIban(size_t begin, size_t n) {
    uint8_t normal[kMaxAlnum + 1];
    for (size_t i = 0; i < n; ++i) {
      const uint8_t byte = text_[begin + i];
      normal[i] = byte & (byte >= 'a' ? 0xDF : 0xFF);
    }
    if ((wanted_.lone.iban >> n & 1) && ibanValid(normal, n)) emit(ValueClass::kAlnum, normal, n, begin, begin + n, true, false);
  }

  void ledFrom(size_t digit) {
    uint8_t letters[16];
    size_t count = 0, begin = digit;
    const size_t most = 31 - static_cast<size_t>(__builtin_clz(wanted_.idLeads));
    for (;;) {
      const bool boundary = begin == 0 || !isAlnum(text_[begin - 1]);
      if (boundary && (wanted_.idLeads >> count & 1)) alnumForward(letters, count, begin, digit);
      if (begin == 0 || count == most) return;
      size_t at = begin;
      if (boundary) {
        const size_t between = joinersBefore(text_, begin);
        if (between == 0 || between >= begin) return;
        at = begin - between;
      }
      if (!(kClasses.of[text_[at - 1]] & kLetter)) return;
      begin = at - 1;
      letters[15 - count++] = text_[begin] & 0xDF;
    }
  }

  void alnumForward(const uint8_t *letters, size_t count, size_t begin, size_t digit) {
    uint8_t normal[kMaxAlnum + 1];
    for (size_t i = 0; i < count; ++i) normal[i] = letters[16 - count + i];
    uint64_t lengths = wanted_.idLengths[count];
    if (count == 2) {
      const size_t iban = ibanLength(normal[0], normal[1]);
      const uint64_t ids = wanted_.lone.id[2] | wanted_.combined.id[2];
      if (!ids && !iban) return;
      lengths = ids | (iban ? (wanted_.lone.iban & 1ull << iban) : 0);
    }
    if (!lengths) return;
    const size_t longest = 63 - static_cast<size_t>(__builtin_clzll(lengths));
    size_t total = count, at = digit;
    for (;;) {
      while (isAlnum(text_[at])) {
        if (total == longest) return;
        const uint8_t byte = text_[at++];
        normal[total++] = byte >= 'a' ? byte & 0xDF : byte;
      }
      if (lengths >> total & 1) alnumFound(normal, total, count, begin, at);
      if (total == longest) return;
      const size_t between = joined(text_, n_, at);
      if (between == 0 || !isAlnum(text_[at + between])) return;
      at += between;
    }
  }

  void alnumFound(const uint8_t *normal, size_t n, size_t leading, size_t begin, size_t end) {
    const uint64_t bit = 1ull << n;
    const bool lone = (wanted_.lone.id[leading] & bit) || (leading == 2 && (wanted_.lone.iban & bit) && ibanValid(normal, n));
    const bool combined = (wanted_.combined.id[leading] & bit) != 0;
    if (lone || combined) emit(ValueClass::kAlnum, normal, n, begin, end, lone, combined);
  }

  void emit(ValueClass valueClass, const uint8_t *normal, size_t n, size_t begin, size_t end, bool lone, bool combined) {
    Candidate &candidate = sink_->slot();
    fillBlock(keys_, valueClass, normal, n, &candidate.block);
    candidate.hash = fastHash(keys_, candidate.block);
    candidate.begin = static_cast<uint32_t>(begin);
    candidate.end = static_cast<uint32_t>(end);
    candidate.lone = lone;
    candidate.combined = combined;
    sink_->filled();
  }

  const IndexKeys &keys_;
  const Wanted &wanted_;
  const uint8_t *text_;
  size_t n_;
  CandidateSink *sink_;
  bool ibanOnly_;
};

template <Masks (*classify)(const uint8_t *)>
inline __attribute__((always_inline)) void search(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, size_t from,
                                                  size_t to, CandidateSink *sink) {
  Finder finder(keys, wanted, text, n, sink);
  const bool wantsDigits = wanted.digits != 0 || wanted.idLeads != 0;
  const bool wantsLed = (wanted.idLeads & ~1u) != 0;
  uint64_t digitBefore = from > 0 && (kClasses.of[text[from - 1]] & kDigit) ? 1 : 0;
  uint64_t letterBefore = from > 0 && (kClasses.of[text[from - 1]] & kLetter) ? 1 : 0;
  for (size_t at = from; at < to; at += 64) {
    const Masks masks = classify(text + at);
    const uint64_t inside = to - at >= 64 ? ~0ull : (1ull << (to - at)) - 1;
    uint64_t firsts = masks.digit & ~(masks.digit << 1 | digitBefore);
    // Only ids and IBANs begin with letters.
    if (!wantsLed) firsts &= ~(masks.letter << 1 | letterBefore);
    digitBefore = masks.digit >> 63;
    letterBefore = masks.letter >> 63;
    firsts &= inside;
    if (wantsDigits) {
      while (firsts) {
        finder.digitAt(at + static_cast<size_t>(__builtin_ctzll(firsts)));
        firsts &= firsts - 1;
      }
    }
    uint64_t signs = masks.at & inside;
    if (signs && wanted.email) {
      do {
        finder.emailAt(at + static_cast<size_t>(__builtin_ctzll(signs)));
        signs &= signs - 1;
      } while (signs);
    }
  }
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,bmi2"))) void searchAvx2(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n,
                                                         size_t from, size_t to, CandidateSink *sink);
#endif

}  // namespace

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

size_t phoneForm(const uint8_t *digits, size_t n, const uint8_t **from) {
  size_t skip = 0;
  if (n > 9) skip = n - 9;
  else
    while (skip < n && digits[skip] == '0') ++skip;
  *from = digits + skip;
  return n - skip;
}

Wanted wantedBy(const IndexMeta &meta) {
  Wanted wanted;
  wanted.lone = meta.lone;
  wanted.combined = meta.combined;
  for (const Shapes *shapes : {&wanted.lone, &wanted.combined}) {
    wanted.digits |= shapes->number | shapes->card | shapes->ssn;
    if (shapes->phone) wanted.digits |= 0xFFE0;  // 5 to 15 digits
    for (size_t lead = 0; lead < 16; ++lead) wanted.idLengths[lead] |= shapes->id[lead];
    wanted.idLengths[2] |= shapes->iban;
    wanted.email = wanted.email || shapes->email;
  }
  for (size_t lead = 0; lead < 16; ++lead) wanted.idLeads |= wanted.idLengths[lead] ? 1u << lead : 0;
  wanted.maxDigits = wanted.digits ? 63 - static_cast<uint32_t>(__builtin_clzll(wanted.digits)) : 0;
  return wanted;
}

#if defined(__x86_64__)
namespace {
__attribute__((target("avx2,bmi,bmi2"))) void searchAvx2(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n,
                                                         size_t from, size_t to, CandidateSink *sink) {
  search<classifyAvx2>(keys, wanted, text, n, from, to, sink);
}
}  // namespace
#endif

void findCandidates(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, size_t from, size_t to, bool portable,
                    CandidateSink *sink) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (avx2 && !portable) return searchAvx2(keys, wanted, text, n, from, to, sink);
#endif
  search<classifyPortable>(keys, wanted, text, n, from, to, sink);
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

#if defined(__x86_64__)
// First place in [from, to) where a character with an ASCII form may begin, by its first two bytes.
__attribute__((target("avx2,bmi"))) static size_t foreignLeadAvx2(const uint8_t *text, size_t from, size_t to) {
  // Lead bytes that occur: D9 DB DF, E0 E1 EA EF, F0; a bit per high half, the low halves that go with it.
  alignas(16) static const uint8_t lows[16] = {6, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 3};
  alignas(16) static const uint8_t highs[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4};
  const __m256i low = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i *>(lows)));
  const __m256i high = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i *>(highs)));
  const __m256i half = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  for (size_t at = from; at < to; at += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + at));
    if (!_mm256_movemask_epi8(bytes)) continue;
    const __m256i kinds = _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
                                           _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
    uint32_t found = ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(kinds, zero)));
    for (; found; found &= found - 1) {
      const size_t place = at + static_cast<size_t>(__builtin_ctz(found));
      if (place >= to) return to;
      if (mayBeForeign(text + place)) return place;
    }
  }
  return to;
}
#endif

static size_t foreignLead(const uint8_t *text, size_t from, size_t to) {
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

size_t nextForeignForm(const uint8_t *text, size_t n, size_t from, size_t to, bool portable) {
  for (size_t at = from;; ++at) {
#if defined(__x86_64__)
    static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
    at = avx2 && !portable ? foreignLeadAvx2(text, at, to) : foreignLead(text, at, to);
#else
    at = foreignLead(text, at, to);
#endif
    if (at >= to) return to;
    uint32_t length;
    if (asciiFormOf(readCodePoint(text, n, at, &length))) return at;
  }
}

}  // namespace sentinel::dlp
