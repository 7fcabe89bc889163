#include "dlp/edm_candidates.h"

#include <string.h>

#include <algorithm>

#include "dlp/fold.h"

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

class Finder {
 public:
  Finder(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, CandidateSink *sink)
      : keys_(keys), wanted_(wanted), text_(text), n_(n), sink_(sink) {}

  // `begin` is the first digit of a run of digits.
  void digitAt(size_t begin) {
    const uint8_t before = begin == 0 ? 0 : text_[begin - 1];
    if (wanted_.digits && !(kClasses.of[before] & kLetter)) digitsFrom(begin);
    if (wanted_.idLeads) alnumFrom(begin);
  }

  // `at` is an @.
  void emailAt(size_t at) {
    size_t begin = at, end = at + 1;
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
  void digitsFrom(size_t begin) {
    uint8_t digits[kMaxDigits + 64];
    size_t total = 0, at = begin;
    for (;;) {
      size_t end = at;
      while (end < n_ && end - at <= kMaxDigits && (kClasses.of[text_[end]] & kDigit)) ++end;
      const size_t run = end - at;
      if (total + run > wanted_.maxDigits) return;
      const uint8_t next = end < n_ ? text_[end] : 0;
      if (kClasses.of[next] & kLetter) return;
      memcpy(digits + total, text_ + at, run);
      total += run;
      if (wanted_.digits >> total & 1) digitsFound(digits, total, begin, end);
      if (next < 0x80 && !(kClasses.of[next] & kJoin)) return;
      const size_t joined = joinersAt(text_, n_, end);
      at = end + joined;
      if (joined == 0 || at >= n_ || !(kClasses.of[text_[at]] & kDigit)) return;
    }
  }

  void digitsFound(const uint8_t *digits, size_t n, size_t begin, size_t end) {
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
  void alnumFrom(size_t digit) {
    uint8_t letters[16];
    size_t count = 0, begin = digit;
    for (;;) {
      const bool boundary = begin == 0 || !isAlnum(text_[begin - 1]);
      if (boundary && (wanted_.idLeads >> count & 1)) alnumForward(letters, count, begin, digit);
      if (begin == 0) return;
      size_t at = begin;
      if (boundary) {
        const size_t joined = joinersBefore(text_, begin);
        if (joined == 0 || joined >= begin) return;
        at = begin - joined;
      }
      if (count == 15 || !(kClasses.of[text_[at - 1]] & kLetter)) return;
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
      while (at < n_ && isAlnum(text_[at])) {
        if (total == longest) return;
        const uint8_t byte = text_[at++];
        normal[total++] = byte >= 'a' ? byte & 0xDF : byte;
      }
      if (lengths >> total & 1) alnumFound(normal, total, count, begin, at);
      if (total == longest) return;
      const size_t joined = joinersAt(text_, n_, at);
      if (joined == 0 || at + joined >= n_ || !isAlnum(text_[at + joined])) return;
      at += joined;
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
    const uint32_t codePoint = text[at] < 0x80 ? text[at] : readCodePoint(text, n, at, &length);
    if (!isJoiner(codePoint)) break;
    if (count == kMaxJoiners) return 0;
    at += length;
  }
  return at - from;
}

size_t joinersBefore(const uint8_t *text, size_t at) {
  const size_t from = at;
  for (size_t count = 0; at > 0; ++count) {
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

bool hasForeignForms(const uint8_t *text, size_t n, size_t from, size_t to, bool portable) {
  for (size_t at = from; at < to;) {
    // Eight bytes at a time over plain ASCII.
    uint64_t eight;
    memcpy(&eight, text + at, 8);
    const uint64_t high = eight & 0x8080808080808080ull;
    if (!high) {
      at += 8;
      continue;
    }
    at += static_cast<size_t>(__builtin_ctzll(high)) / 8;
    if (at >= to) break;
    const uint8_t lead = text[at];
    // Two-byte characters below U+0660 and continuation bytes are no such forms.
    if (lead < 0xD9) {
      at += 1;
      continue;
    }
    uint32_t length;
    const uint32_t codePoint = readCodePoint(text, n, at, &length);
    if (asciiFormOf(codePoint)) return true;
    at += length;
  }
  return false;
}

}  // namespace sentinel::dlp
