#include "dlp/edm_candidates.h"

#include <string.h>

#include <algorithm>

#include "dlp/edm_escapes.h"
#include "dlp/edm_masks.h"
#include "dlp/validators.h"

namespace sentinel::dlp {
namespace {

class Finder {
 public:
  Finder(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, CandidateSink *sink)
      : keys_(keys),
        wanted_(wanted),
        text_(text),
        n_(n),
        sink_(sink),
        ibanOnly_(wanted.idLeads == 1u << 2 && !(wanted.lone.id[2] | wanted.combined.id[2])) {}

  bool ibanOnly() const { return ibanOnly_; }

  // `at` is an @.
  void emailAt(size_t at) {
    if (at == 0 || !(kClasses.of[text_[at - 1]] & kLocal) || !(kClasses.of[text_[at + 1]] & kDomain)) return;
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
    const size_t stop = end;
    if (trimEmail(text_, at, &begin, &end)) emailFound(begin, end);
    // What an escape ends with, 107m at most, looks like the beginning of the address.
    for (size_t inside = begin + 1; inside < at && inside <= begin + 4; ++inside) {
      if (!escapeEndsAt(text_, inside)) continue;
      end = stop;
      if (trimEmail(text_, at, &inside, &end)) emailFound(inside, end);
      return;
    }
  }

  void emailFound(size_t begin, size_t end) {
    uint8_t normal[kMaxEmail + 1];
    size_t length = 0;
    for (size_t at = begin; at < end; ++at) {
      const uint8_t byte = text_[at];
      // SQL doubles an apostrophe.
      if (byte == '\'' && text_[at + 1] == '\'') continue;
      normal[length++] = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
    emit(ValueClass::kEmail, normal, length, begin, end, wanted_.lone.email, wanted_.combined.email);
  }

  // Numbers whose first digit is at `begin`, which begins a group.
  void digitsFrom(size_t begin) {
    size_t total = 0, at = begin;
    for (;;) {
      const size_t end = at + digitRun(text_ + at);
      total += end - at;
      if (total > wanted_.maxDigits) return;
      const uint8_t next = text_[end];
      // The digits are gathered only when their number is one that is looked for; a group with a letter is none.
      if ((wanted_.digits >> total & 1) && !(kClasses.of[next] & kLetter)) digitsFound(total, begin, end);
      const size_t between = joined(text_, n_, end);
      at = end + between;
      if (between == 0 || !(kClasses.of[text_[at]] & kDigit)) return;
    }
  }

  // Ids and IBANs whose first digit is at `digit`.
  void alnumFrom(size_t digit) {
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
        if (digit > 2 && isAlnum(text_[digit - 3]) && !escapeEndsAt(text_, digit - 2)) return;
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

 private:
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
      if ((boundary || escapeEndsAt(text_, begin)) && (wanted_.idLeads >> count & 1)) alnumForward(letters, count, begin, digit);
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

inline uint64_t joinersAtEnd(const uint8_t *block) {
  return static_cast<uint64_t>(inJoiner(block[61])) << 61 | static_cast<uint64_t>(inJoiner(block[62])) << 62 |
         static_cast<uint64_t>(inJoiner(block[63])) << 63;
}

// The last three bytes before a range, as the top bits of the masks of a block.
struct Before {
  uint64_t digit = 0, letter = 0, joiner = 0;
  Before(const uint8_t *text, size_t from) {
    for (size_t back = 1; back <= 3 && back <= from; ++back) {
      const uint8_t byte = text[from - back];
      const uint64_t bit = 1ull << (64 - back);
      if (kClasses.of[byte] & kDigit) digit |= bit;
      if (kClasses.of[byte] & kLetter) letter |= bit;
      if (inJoiner(byte)) joiner |= bit;
    }
  }
};

template <Masks (*classify)(const uint8_t *), uint64_t (*joinersOf)(const uint8_t *)>
inline __attribute__((always_inline)) void search(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, size_t from,
                                                  size_t to, CandidateSink *sink) {
  Finder finder(keys, wanted, text, n, sink);
  const bool wantsDigits = wanted.digits != 0, wantsAlnum = wanted.idLeads != 0, anyTrigger = wantsDigits || wantsAlnum;
  const bool mayBeginWithDigit = (wanted.idLeads & 1) != 0, ibanOnly = finder.ibanOnly();
  Before before(text, from);
  for (size_t at = from; at < to; at += 64) {
    const Masks masks = classify(text + at);
    const uint64_t inside = to - at >= 64 ? ~0ull : (1ull << (to - at)) - 1;
    const uint64_t firsts = masks.digit & ~(masks.digit << 1 | before.digit >> 63) & inside;
    uint64_t joiner = 0;
    bool known = false;
    if (firsts && anyTrigger) {
      joiner = joinersOf(text + at);
      known = true;
      const uint64_t letterBefore = masks.letter << 1 | before.letter >> 63;
      uint64_t numbers = 0, named = 0;
      // From its first digit on a number is digits and joiners, for as many bytes as the shortest that is wanted has digits.
      if (wantsDigits) {
        const uint64_t runs = firsts & startsOfRuns(masks.digit | joiner, wanted.leastDigits);
        numbers = runs & ~letterBefore;
        for (uint64_t glued = runs & letterBefore; glued; glued &= glued - 1) {
          if (escapeEndsAt(text, at + static_cast<size_t>(__builtin_ctzll(glued)))) numbers |= glued & -glued;
        }
      }
      if (wantsAlnum) {
        const uint64_t alnum = masks.digit | masks.letter;
        const uint64_t joinerBefore = joiner << 1 | before.joiner >> 63;
        named = firsts & startsOfRuns(alnum | joiner, wanted.leastAlnum);
        uint64_t led = letterBefore | joinerBefore;
        if (ibanOnly) {
          // Two letters, which begin a group, and two digits; joiners anywhere between.
          const uint64_t letter2 = masks.letter << 2 | before.letter >> 62, joiner2 = joiner << 2 | before.joiner >> 62;
          const uint64_t alnum3 = alnum << 3 | (before.digit | before.letter) >> 61;
          led = (letterBefore & ((letter2 & ~alnum3) | joiner2)) | (joinerBefore & (letter2 | joiner2));
          led &= (masks.digit | joiner) >> 1 | 1ull << 63;
          for (uint64_t glued = named & letterBefore & letter2 & alnum3; glued; glued &= glued - 1) {
            if (escapeEndsAt(text, at + static_cast<size_t>(__builtin_ctzll(glued)) - 2)) led |= glued & -glued;
          }
        }
        named &= mayBeginWithDigit ? led | ~letterBefore : led;
      }
      for (uint64_t triggers = numbers; triggers; triggers &= triggers - 1) finder.digitsFrom(at + static_cast<size_t>(__builtin_ctzll(triggers)));
      for (uint64_t triggers = named; triggers; triggers &= triggers - 1) finder.alnumFrom(at + static_cast<size_t>(__builtin_ctzll(triggers)));
    }
    before.digit = masks.digit;
    before.letter = masks.letter;
    // Joiners matter to a digit in the first three bytes of the next block.
    if (!known && anyTrigger) joiner = joinersAtEnd(text + at);
    before.joiner = joiner;
    if (wanted.email) {
      for (uint64_t signs = masks.at & inside; signs; signs &= signs - 1) finder.emailAt(at + static_cast<size_t>(__builtin_ctzll(signs)));
    }
  }
}

#if defined(__x86_64__)
SENTINEL_AVX2 void searchAvx2(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n,
                                                         size_t from, size_t to, CandidateSink *sink);
#endif

}  // namespace

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
  wanted.leastAlnum = 64;
  for (uint32_t lead = 0; lead < 16; ++lead) {
    if (!wanted.idLengths[lead]) continue;
    const uint32_t shortest = static_cast<uint32_t>(__builtin_ctzll(wanted.idLengths[lead]));
    wanted.leastAlnum = std::min(wanted.leastAlnum, shortest > lead ? shortest - lead : 1);
  }
  wanted.leastDigits = wanted.digits ? std::max(1u, static_cast<uint32_t>(__builtin_ctzll(wanted.digits))) : 1;
  wanted.maxDigits = wanted.digits ? 63 - static_cast<uint32_t>(__builtin_clzll(wanted.digits)) : 0;
  return wanted;
}

#if defined(__x86_64__)
namespace {
SENTINEL_AVX2 void searchAvx2(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n,
                                                         size_t from, size_t to, CandidateSink *sink) {
  search<classifyAvx2, joinersAvx2>(keys, wanted, text, n, from, to, sink);
}
}  // namespace
#endif

void findCandidates(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, size_t from, size_t to, bool portable,
                    CandidateSink *sink) {
#if defined(__x86_64__)
  if (hasAvx2() && !portable) return searchAvx2(keys, wanted, text, n, from, to, sink);
#endif
  search<classifyPortable, joinersPortable>(keys, wanted, text, n, from, to, sink);
}

}  // namespace sentinel::dlp
