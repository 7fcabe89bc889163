#include "dlp/edm_hash.h"

#include <string.h>

#include <algorithm>

extern "C" {
#include "blake3/blake3.h"
#include "blake3/blake3_impl.h"
}

namespace sentinel::dlp {
namespace {

Key derive(const char *context, const Key &master, const uint8_t *salt) {
  blake3_hasher hasher;
  blake3_hasher_init_derive_key(&hasher, context);
  blake3_hasher_update(&hasher, master.data(), master.size());
  if (salt) blake3_hasher_update(&hasher, salt, 32);
  Key key;
  blake3_hasher_finalize(&hasher, key.data(), key.size());
  return key;
}

inline uint64_t load(const uint8_t *at) {
  uint64_t value;
  memcpy(&value, at, 8);
  return value;
}

inline uint64_t multiply(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

Digest keyedHash(const Key &key, const uint8_t *bytes, size_t n) {
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, key.data());
  blake3_hasher_update(&hasher, bytes, n);
  Digest digest;
  blake3_hasher_finalize(&hasher, digest.bytes, sizeof digest.bytes);
  return digest;
}

}  // namespace

std::string keyIdOf(const Key &master) {
  const Key id = derive("sentinel dlp 2026 key id", master, nullptr);
  static const char digits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    text.push_back(digits[id[i] >> 4]);
    text.push_back(digits[id[i] & 15]);
  }
  return text;
}

IndexKeys deriveKeys(const Key &master, const uint8_t salt[32]) {
  IndexKeys keys;
  keys.primary = derive("sentinel dlp 2026 index primary", master, salt);
  keys.secondary = derive("sentinel dlp 2026 index secondary", master, salt);
  keys.combined = derive("sentinel dlp 2026 index combined", master, salt);
  keys.stream = derive("sentinel dlp 2026 index stream", master, salt);
  keys.mac = derive("sentinel dlp 2026 index mac", master, salt);
  const Key seeds = derive("sentinel dlp 2026 index prefilter", master, salt);
  memcpy(keys.seeds, seeds.data(), sizeof keys.seeds);
  for (uint64_t &seed : keys.seeds) seed |= 1;
  return keys;
}

Digest macOf(const IndexKeys &keys, const uint8_t *bytes, size_t n) { return keyedHash(keys.mac, bytes, n); }

uint64_t fastHash(const IndexKeys &keys, const Block &block) {
  const uint8_t *at = block.bytes;
  uint64_t hash = multiply(load(at) ^ keys.seeds[0], load(at + 8) ^ keys.seeds[1]);
  // The length stands in the first byte: zeros behind the value need no mixing.
  const size_t used = at[0] + 2u;
  if (used > 16) hash = multiply(load(at + 16) ^ hash, load(at + 24) ^ keys.seeds[2]);
  if (used > 32) {
    hash = multiply(load(at + 32) ^ hash, load(at + 40) ^ keys.seeds[3]);
    hash = multiply(load(at + 48) ^ hash, load(at + 56) ^ keys.seeds[1]);
  }
  return multiply(hash ^ keys.seeds[2], keys.seeds[3]);
}

void hashBlocks(const Key &key, const Block *const *blocks, size_t n, Digest *out) {
  uint32_t words[8];
  load_key_words(key.data(), words);
  const uint8_t *inputs[kBatch];
  for (size_t i = 0; i < n; ++i) inputs[i] = blocks[i]->bytes;
  blake3_hash_many(inputs, n, 1, words, 0, false, KEYED_HASH, CHUNK_START, CHUNK_END | ROOT, out[0].bytes);
}

void fillBlock(const IndexKeys &keys, ValueClass valueClass, const uint8_t *normal, size_t n, Block *block) {
  uint8_t *at = block->bytes;
  memset(at, 0, kBlockBytes);
  at[1] = static_cast<uint8_t>(valueClass);
  if (n <= kBlockBytes - 2) {
    at[0] = static_cast<uint8_t>(n);
    memcpy(at + 2, normal, n);
    return;
  }
  const Digest digest = keyedHash(keys.primary, normal, n);
  at[0] = 32;
  at[1] |= 0x80;
  memcpy(at + 2, digest.bytes, 32);
}

void fillBoundBlock(const IndexKeys &keys, const Digest &primary, uint8_t field, ValueClass valueClass, const uint8_t *normal,
                    size_t n, Block *block) {
  uint8_t *at = block->bytes;
  memset(at, 0, kBlockBytes);
  at[1] = static_cast<uint8_t>(valueClass);
  at[2] = field;
  memcpy(at + 3, primary.bytes + 16, 16);
  if (n <= kBlockBytes - 19) {
    at[0] = static_cast<uint8_t>(n + 17);
    memcpy(at + 19, normal, n);
    return;
  }
  const Digest digest = keyedHash(keys.secondary, normal, n);
  at[0] = 32 + 17;
  at[1] |= 0x80;
  memcpy(at + 19, digest.bytes, 32);
}

void stretch(const Key &key, Digest *digests, size_t n) {
  Block blocks[kBatch];
  const Block *inputs[kBatch];
  for (size_t i = 0; i < n; ++i) {
    memset(blocks[i].bytes, 0, kBlockBytes);
    inputs[i] = &blocks[i];
  }
  for (uint32_t round = 0; round < kStretchRounds; ++round) {
    for (size_t i = 0; i < n; ++i) memcpy(blocks[i].bytes, digests[i].bytes, 32);
    hashBlocks(key, inputs, n, digests);
  }
}

void applyKeystream(const Key &key, uint64_t offset, uint8_t *bytes, size_t n) {
  Block blocks[kBatch];
  const Block *inputs[kBatch];
  for (size_t i = 0; i < kBatch; ++i) {
    memset(blocks[i].bytes, 0, kBlockBytes);
    inputs[i] = &blocks[i];
  }
  alignas(64) Digest stream[kBatch];
  while (n > 0) {
    const uint64_t first = offset / 32;
    const size_t skip = static_cast<size_t>(offset % 32);
    const size_t count = std::min(kBatch, (skip + n + 31) / 32);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t number = first + i;
      memcpy(blocks[i].bytes, &number, 8);
    }
    hashBlocks(key, inputs, count, stream);
    const size_t part = std::min(n, count * 32 - skip);
    const uint8_t *from = stream[0].bytes + skip;
    size_t i = 0;
    for (; i + 8 <= part; i += 8) {
      const uint64_t mixed = load(bytes + i) ^ load(from + i);
      memcpy(bytes + i, &mixed, 8);
    }
    for (; i < part; ++i) bytes[i] ^= from[i];
    bytes += part;
    offset += part;
    n -= part;
  }
}

}  // namespace sentinel::dlp
