#include "dlp/patterns_filter.h"

#include <cstring>

#include "dlp/patterns_context.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sentinel::dlp {
namespace {

#if defined(__x86_64__)
const bool kVector = __builtin_cpu_supports("avx2") != 0;

__attribute__((target("avx2"))) void markAvx2(const uint8_t* text, size_t words, ByteMarks* out) {
  for (size_t w = 0; w < words; w++) {
    ByteMarks marks{0, 0, 0, 0, 0};
    for (int half = 0; half < 2; half++) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + w * 64 + half * 32));
      const __m256i from0 = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
      const __m256i digit = _mm256_cmpeq_epi8(_mm256_min_epu8(from0, _mm256_set1_epi8(9)), from0);
      const __m256i fromA = _mm256_sub_epi8(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
      const __m256i letter = _mm256_cmpeq_epi8(_mm256_min_epu8(fromA, _mm256_set1_epi8(25)), fromA);
      const __m256i wide = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(static_cast<char>(0xEF)));
      const __m256i hyphen = _mm256_sub_epi8(bytes, _mm256_set1_epi8('-'));  // - . /
      const __m256i sign = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(hyphen, _mm256_set1_epi8(2)), hyphen), _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' ')));
      const auto bits = [&](__m256i mask) __attribute__((target("avx2"))) {
        return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(mask))) << (half * 32);
      };
      marks.digits |= bits(digit);
      marks.alnums |= bits(_mm256_or_si256(digit, letter));
      marks.others |= bits(bytes);
      marks.wide |= bits(wide);
      marks.joined |= bits(sign);
    }
    out[w] = marks;
  }
}
#else
const bool kVector = false;
#endif

ByteMarks markPortable(const uint8_t* text, size_t n) {
  ByteMarks marks{0, 0, 0, 0, 0};
  for (size_t i = 0; i < n; i++) {
    marks.digits |= static_cast<uint64_t>(isAsciiDigit(text[i])) << i;
    marks.alnums |= static_cast<uint64_t>(isAsciiAlnum(text[i])) << i;
    marks.others |= static_cast<uint64_t>(text[i] >= 0x80) << i;
    marks.wide |= static_cast<uint64_t>(text[i] == 0xEF) << i;
    marks.joined |= static_cast<uint64_t>(text[i] == ' ' || (text[i] >= '-' && text[i] <= '/')) << i;
  }
  return marks;
}

}  // namespace

void markBytes(const uint8_t* text, size_t n, ByteMarks* out, bool portable) {
  size_t done = 0;
#if defined(__x86_64__)
  if (kVector && !portable) {
    markAvx2(text, n / 64, out);
    done = n / 64;
  }
#endif
  for (; done * 64 < n; done++) out[done] = markPortable(text + done * 64, n - done * 64 < 64 ? n - done * 64 : 64);
  for (size_t w = 0; w < done; w++) {
    const uint64_t alnums = out[w].alnums;
    const uint64_t before = alnums << 1 | (w > 0 ? out[w - 1].alnums >> 63 : 0), behind = alnums >> 1 | (w + 1 < done ? out[w + 1].alnums << 63 : 0);
    out[w].joined = alnums | (out[w].joined & before & behind);
  }
}

void PlaceFilter::prepare() {
  for (int place = 0; place < kPlaces; place++)
    for (int byte = 0; byte < 256; byte++) byte_[place][byte] = low_[place][byte & 15] & high_[place][byte >> 4];
}

#if defined(__x86_64__)
// Of whole vectors with two bytes behind them; the first place that passes, or where it stopped.
__attribute__((target("avx2"))) size_t PlaceFilter::nextAvx2(const uint8_t* text, size_t from, size_t to) const {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i low[kPlaces], high[kPlaces];
  for (int i = 0; i < kPlaces; i++) {
    low[i] = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(low_[i])));
    high[i] = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(high_[i])));
  }
  size_t i = from;
  for (; i + 34 <= to; i += 32) {
    __m256i all = _mm256_set1_epi8(-1);
    for (int k = 0; k < kPlaces; k++) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + i + k));
      const __m256i byLow = _mm256_shuffle_epi8(low[k], _mm256_and_si256(bytes, nibble));
      const __m256i byHigh = _mm256_shuffle_epi8(high[k], _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
      all = _mm256_and_si256(all, _mm256_and_si256(byLow, byHigh));
    }
    const uint32_t none = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, _mm256_setzero_si256())));
    if (none != 0xFFFFFFFF) return i + static_cast<size_t>(__builtin_ctz(~none));
  }
  return i;
}
#endif

size_t PlaceFilter::next(const uint8_t* text, size_t from, size_t to, size_t length, bool portable) const {
  size_t i = from;
#if defined(__x86_64__)
  if (kVector && !portable) {
    // Places up to `to`, with the bytes behind them as far as there are any.
    i = nextAvx2(text, from, to + 2 <= length ? to + 2 : length);
    if (i >= to) return to;
  }
#endif
  for (; i < to; i++)
    if (passes(text, i, length)) return i;
  return to;
}

}  // namespace sentinel::dlp
