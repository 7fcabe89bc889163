#include "crc32c.h"

#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace swal {
namespace {

struct Tables {
  uint32_t t[8][256];
  Tables() {
    for (uint32_t byte = 0; byte < 256; byte++) {
      uint32_t crc = byte;
      for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
      t[0][byte] = crc;
    }
    for (int n = 1; n < 8; n++) {
      for (uint32_t byte = 0; byte < 256; byte++) t[n][byte] = (t[n - 1][byte] >> 8) ^ t[0][t[n - 1][byte] & 0xff];
    }
  }
};

uint32_t Portable(uint32_t crc, const uint8_t *p, size_t len) {
  static const Tables tables;
  const auto &t = tables.t;
  for (; len >= 8; p += 8, len -= 8) {
    const uint32_t low = crc ^ (p[0] | p[1] << 8 | p[2] << 16 | uint32_t(p[3]) << 24);
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^ t[3][p[4]] ^
          t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
  }
  for (; len > 0; p++, len--) crc = (crc >> 8) ^ t[0][(crc ^ *p) & 0xff];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Hardware(uint32_t crc, const uint8_t *p, size_t len) {
  uint64_t wide = crc;
  for (; len >= 8; p += 8, len -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; len > 0; p++, len--) crc = _mm_crc32_u8(crc, *p);
  return crc;
}
#endif

}  // namespace

uint32_t Crc32c(uint32_t seed, const void *data, size_t len) {
  const auto *p = static_cast<const uint8_t *>(data);
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2");
  if (hardware) return ~Hardware(~seed, p, len);
#endif
  return ~Portable(~seed, p, len);
}

}  // namespace swal
