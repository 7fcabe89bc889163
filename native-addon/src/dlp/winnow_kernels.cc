#include "dlp/winnow_kernels.h"

#include "dlp/winnow.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sentinel::dlp {
namespace {

__attribute__((always_inline)) inline uint16_t low(uint16_t a, uint16_t b) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b); }
__attribute__((always_inline)) inline uint16_t high(uint16_t a, uint16_t b) { return static_cast<uint16_t>(static_cast<uint32_t>(a) * b >> 16); }

// Orders of positions [0, n): text has 8 bytes at each. Written so that compilers make vector code of it.
__attribute__((always_inline)) inline void ordersOf(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out) {
  const uint16_t a = factors[0], b = factors[1], c = factors[2], d = factors[3];
  for (size_t i = 0; i < n; i++) {
    const uint16_t w0 = static_cast<uint16_t>(text[i] | text[i + 1] << 8), w1 = static_cast<uint16_t>(text[i + 2] | text[i + 3] << 8);
    const uint16_t w2 = static_cast<uint16_t>(text[i + 4] | text[i + 5] << 8), w3 = static_cast<uint16_t>(text[i + 6] | text[i + 7] << 8);
    // Both halves of the products: the low one knows the low bits, the high one all of them.
    uint16_t hash = low(w0, a) ^ high(w0, c);
    hash = static_cast<uint16_t>(hash + (low(w1, b) ^ high(w1, d)));
    hash = static_cast<uint16_t>(hash ^ hash >> 7);
    hash = static_cast<uint16_t>(low(hash, d) + (low(w2, c) ^ high(w2, a)));
    hash = static_cast<uint16_t>(hash ^ hash >> 9);
    hash = static_cast<uint16_t>(low(hash, b) + (low(w3, d) ^ high(w3, b)));
    hash = low(hash, a) ^ high(hash, c);
    out[i] = hash;
  }
}

void ordersPortable(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out) { ordersOf(text, n, factors, out); }

size_t firstAtMostPortable(const uint16_t* order, size_t n, uint16_t most) {
  for (size_t i = 0; i < n; i++)
    if (order[i] <= most) return i;
  return n;
}

size_t leastPortable(const uint16_t* order) {
  size_t best = 0;
  for (size_t i = 1; i < kWinnow; i++)
    if (order[i] <= order[best]) best = i;
  return best;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) void ordersAvx2(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out) {
  ordersOf(text, n, factors, out);
}

__attribute__((target("avx2"))) size_t firstAtMostAvx2(const uint16_t* order, size_t n, uint16_t most) {
  const __m256i limit = _mm256_set1_epi16(static_cast<int16_t>(most));
  for (size_t i = 0; i < n; i += 16) {
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(order + i));
    const uint32_t found = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_min_epu16(values, limit), values)));
    if (found != 0) {
      const size_t at = i + static_cast<size_t>(__builtin_ctz(found)) / 2;
      return at < n ? at : n;
    }
  }
  return n;
}

__attribute__((target("avx2"))) size_t leastAvx2(const uint16_t* order) {
  const __m256i* at = reinterpret_cast<const __m256i*>(order);
  const __m256i a = _mm256_loadu_si256(at), b = _mm256_loadu_si256(at + 1), c = _mm256_loadu_si256(at + 2), d = _mm256_loadu_si256(at + 3);
  const __m256i all = _mm256_min_epu16(_mm256_min_epu16(a, b), _mm256_min_epu16(c, d));
  const __m128i half = _mm_min_epu16(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  const __m256i least = _mm256_broadcastw_epi16(_mm_minpos_epu16(half));
  const auto equal = [&](__m256i low, __m256i high) __attribute__((target("avx2"))) {
    // One bit per order, in order.
    const __m256i packed = _mm256_packs_epi16(_mm256_cmpeq_epi16(low, least), _mm256_cmpeq_epi16(high, least));
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xD8)));
  };
  const uint64_t bits = static_cast<uint64_t>(equal(c, d)) << 32 | equal(a, b);
  return 63 - static_cast<size_t>(__builtin_clzll(bits));
}

// Moves the bytes of a group of eight that a mask keeps to the front.
struct Compaction {
  alignas(64) uint8_t shuffle[256][8] = {};
  constexpr Compaction() {
    for (int mask = 0; mask < 256; mask++) {
      int n = 0;
      for (int i = 0; i < 8; i++)
        if (mask >> i & 1) shuffle[mask][n++] = static_cast<uint8_t>(i);
      while (n < 8) shuffle[mask][n++] = 0x80;
    }
  }
};
constexpr Compaction kCompaction;

// Leads that are followed by as many tails as they ask for; those too near to the end to tell count.
inline uint64_t charactersOf(uint64_t two, uint64_t three, uint64_t four, uint64_t tails) {
  const uint64_t first = tails >> 1 | 1ull << 63, second = tails >> 2 | 3ull << 62, third = tails >> 3 | 7ull << 61;
  return first & (two | (second & (three | (third & four))));
}

__attribute__((target("avx2"))) void classifyAvx2(const uint8_t* text, Block64* block) {
  uint64_t kept = 0, two = 0, three = 0, four = 0, tails = 0;
  for (int half = 0; half < 2; half++) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + half * 32));
    const __m256i lower = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
    const __m256i fromA = _mm256_sub_epi8(lower, _mm256_set1_epi8('a'));
    const __m256i letter = _mm256_cmpeq_epi8(_mm256_min_epu8(fromA, _mm256_set1_epi8(25)), fromA);
    const __m256i from0 = _mm256_sub_epi8(bytes, _mm256_set1_epi8('0'));
    const __m256i digit = _mm256_cmpeq_epi8(_mm256_min_epu8(from0, _mm256_set1_epi8(9)), from0);
    _mm256_store_si256(reinterpret_cast<__m256i*>(block->folded + half * 32), _mm256_blendv_epi8(bytes, lower, letter));
    const auto bits = [&](__m256i mask) __attribute__((target("avx2"))) {
      return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(mask))) << (half * 32);
    };
    kept |= bits(_mm256_or_si256(letter, digit));
    if (_mm256_movemask_epi8(bytes) == 0) continue;
    // As signed numbers: 0x80 to 0xBF are below 0xC0, and so on.
    const auto below = [&](int limit) __attribute__((target("avx2"))) { return bits(_mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(limit)), bytes)); };
    const uint64_t c0 = below(0xC0), c2 = below(0xC2), e0 = below(0xE0), f0 = below(0xF0), f5 = below(0xF5);
    tails |= c0;
    two |= e0 & ~c2;
    three |= f0 & ~e0;
    four |= f5 & ~f0;
  }
  block->kept = kept;
  block->characters = (two | three | four) == 0 ? 0 : charactersOf(two, three, four, tails);
}

__attribute__((target("avx2,popcnt,bmi"))) size_t compactAvx2(const Block64& block, uint64_t mask, uint8_t* out) {
  size_t n = 0;
  for (size_t g = static_cast<size_t>(__builtin_ctzll(mask)) / 8; g < 8 && mask >> (g * 8) != 0; g++) {
    const uint8_t part = static_cast<uint8_t>(mask >> (g * 8));
    const __m128i source = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block.folded + g * 8));
    const __m128i order = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kCompaction.shuffle[part]));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + n), _mm_shuffle_epi8(source, order));
    n += static_cast<size_t>(_mm_popcnt_u32(part));
  }
  return n;
}

__attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt"))) size_t compactAvx512(const Block64& block, uint64_t mask, uint8_t* out) {
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(mask, _mm512_load_si512(block.folded)));
  return static_cast<size_t>(__builtin_popcountll(mask));
}

__attribute__((target("avx512f,avx512bw"))) void classifyAvx512(const uint8_t* text, Block64* block) {
  const __m512i bytes = _mm512_loadu_si512(text);
  const __m512i lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
  const uint64_t letter = _mm512_cmple_epu8_mask(_mm512_sub_epi8(lower, _mm512_set1_epi8('a')), _mm512_set1_epi8(25));
  const uint64_t digit = _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(9));
  _mm512_store_si512(block->folded, _mm512_mask_blend_epi8(letter, bytes, lower));
  block->kept = letter | digit;
  block->characters = 0;
  const uint64_t wide = _mm512_movepi8_mask(bytes);
  if (wide == 0) return;
  const auto below = [&](int limit) __attribute__((target("avx512f,avx512bw"))) {
    return static_cast<uint64_t>(_mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(static_cast<char>(limit)))) & wide;
  };
  const uint64_t c0 = below(0xC0), c2 = below(0xC2), e0 = below(0xE0), f0 = below(0xF0), f5 = below(0xF5);
  block->characters = charactersOf(e0 & ~c2, f0 & ~e0, f5 & ~f0, c0);
}

const bool kVector512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
const bool kVector = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
#else
const bool kVector = false;
#endif

}  // namespace

bool hasWinnowVectors() { return kVector; }

void windowOrders(const uint8_t* text, size_t n, const uint16_t* factors, uint16_t* out, bool vector) {
#if defined(__x86_64__)
  if (vector) return ordersAvx2(text, n, factors, out);
#endif
  ordersPortable(text, n, factors, out);
}

size_t firstAtMost(const uint16_t* order, size_t n, uint16_t most, bool vector) {
#if defined(__x86_64__)
  if (vector) return firstAtMostAvx2(order, n, most);
#endif
  return firstAtMostPortable(order, n, most);
}

size_t leastOrder(const uint16_t* order, bool vector) {
#if defined(__x86_64__)
  if (vector) return leastAvx2(order);
#endif
  return leastPortable(order);
}

#if defined(__x86_64__)
void classify64(const uint8_t* text, Block64* block) { return kVector512 ? classifyAvx512(text, block) : classifyAvx2(text, block); }
size_t compact64(const Block64& block, uint64_t mask, uint8_t* out) { return kVector512 ? compactAvx512(block, mask, out) : compactAvx2(block, mask, out); }
#else
// Never called: there are no vectors.
void classify64(const uint8_t*, Block64* block) { *block = Block64{}; }
size_t compact64(const Block64&, uint64_t, uint8_t*) { return 0; }
#endif

}  // namespace sentinel::dlp
