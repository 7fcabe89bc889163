// Keys of an index and the hashes made with them.
//
// From the key file's 32 bytes and the index's salt BLAKE3 derives one key per purpose. A value becomes one 64-byte
// block {length, class, normal form, zeros}; two hashes of that block are used:
//   fastHash   seeded, not cryptographic, some nanoseconds: only decides which candidates pass the prefilter
//   hashBlocks keyed BLAKE3 of the block, sixteen side by side: what the table holds
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "dlp/edm_value.h"

namespace sentinel::dlp {

using Key = std::array<uint8_t, 32>;

constexpr size_t kBlockBytes = 64;
constexpr size_t kBatch = 16;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
constexpr uint32_t kStretchRounds = 2;  // slow on purpose, which a fuzzer cannot use
#else
constexpr uint32_t kStretchRounds = 2048;
#endif

struct Block {
  alignas(64) uint8_t bytes[kBlockBytes];
};
struct Digest {
  uint8_t bytes[32];
};

struct IndexKeys {
  Key primary, secondary, combined, stream, mac;
  uint64_t seeds[4];
};

// First 8 bytes, hex: tells keys apart and says nothing else about them.
std::string keyIdOf(const Key &master);
IndexKeys deriveKeys(const Key &master, const uint8_t salt[32]);

// MAC of n bytes.
Digest macOf(const IndexKeys &keys, const uint8_t *bytes, size_t n);

uint64_t fastHash(const IndexKeys &keys, const Block &block);

// Keyed BLAKE3 of each 64-byte block; n at most kBatch.
void hashBlocks(const Key &key, const Block *const *blocks, size_t n, Digest *out);

// The block of a value. Values that do not fit are replaced by their own keyed hash.
void fillBlock(const IndexKeys &keys, ValueClass valueClass, const uint8_t *normal, size_t n, Block *block);

// The block of a secondary value, bound to the primary value it stands beside.
void fillBoundBlock(const IndexKeys &keys, const Digest &primary, uint8_t field, ValueClass valueClass, const uint8_t *normal,
                    size_t n, Block *block);

// Replaces digests by what kStretchRounds further keyed hashes make of them; n at most kBatch.
void stretch(const Key &key, Digest *digests, size_t n);

// XORs the keystream of an index over bytes that stand at `offset` of its body.
void applyKeystream(const Key &key, uint64_t offset, uint8_t *bytes, size_t n);

}  // namespace sentinel::dlp
