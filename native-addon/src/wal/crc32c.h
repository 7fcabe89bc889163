// CRC-32C (Castagnoli): hardware instruction where the CPU has it, else slicing-by-8.
#ifndef SENTINEL_WAL_CRC32C_H
#define SENTINEL_WAL_CRC32C_H
#include <cstddef>
#include <cstdint>

namespace swal {
// Continues from `seed` (0 for a plain checksum), with the usual inversion before and after.
uint32_t Crc32c(uint32_t seed, const void *data, size_t len);
}  // namespace swal
#endif
