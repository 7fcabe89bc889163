// Sets of bytes that AVX2 tests thirty-two bytes against at once, by their halves.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>

#define SENTINEL_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

namespace sentinel::dlp {

// Of a member's low half, a bit per high half; high halves from 8 on are in the second row.
struct ByteSet {
  uint8_t rows[32] = {};
  template <typename Member>
  explicit constexpr ByteSet(Member member) {
    for (int b = 0; b < 256; ++b) {
      const int row = (b & 15) + (b >= 128 ? 16 : 0);
      if (member(b)) rows[row] = static_cast<uint8_t>(rows[row] | 1 << (b >> 4 & 7));
    }
  }
};

SENTINEL_AVX2 inline __m256i twice(const uint8_t *sixteen) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i *>(sixteen)));
}

// The bytes taken apart, for any number of sets.
struct Halves {
  __m256i bytes, low, high, bit;
};

SENTINEL_AVX2 inline Halves halvesOf(__m256i bytes) {
  alignas(16) static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const __m256i half = _mm256_set1_epi8(15);
  Halves halves;
  halves.bytes = bytes;
  halves.low = _mm256_and_si256(bytes, half);
  halves.high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
  halves.bit = _mm256_shuffle_epi8(twice(bits), halves.high);
  return halves;
}

SENTINEL_AVX2 inline uint32_t members(const ByteSet &set, const Halves &halves) {
  const __m256i row = _mm256_blendv_epi8(_mm256_shuffle_epi8(twice(set.rows), halves.low), _mm256_shuffle_epi8(twice(set.rows + 16), halves.low),
                                         halves.bytes);
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(row, halves.bit), _mm256_setzero_si256())));
}

inline bool hasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                          __builtin_cpu_supports("popcnt");
  return has;
}

}  // namespace sentinel::dlp

#endif
