// An index of protected rows, file format SDLPIDX1. Little-endian.
//
//   header, 256 bytes, plain: magic[8] version u32 reserved u32 keyId[8] salt[32] createdMs u64 fileBytes u64
//     bodyHash[32] (BLAKE3 of everything after the header) mac[32] (keyed, of what stands before it) signerId[8]
//     signature[64] (Ed25519 of "sentinel dlp index v1\0" and what stands before it) seal[32] (keyed, of what stands
//     before it, so that a false signature is no stranger's) zeros
//   body, XORed with a keystream of the key and the salt: prologue (64 u64: sizes and places of the sections), then
//     meta       name, fields, rule, shapes of the values
//     bloom      split-block Bloom filter over lone primaries, 32-byte blocks, about 12 bits per value
//     pre, mid   bitmaps for values that are only stored in combination: pre over the primary value, mid over the
//                combination; one bit per value at a fill of at most 1/16, so that a bit says little
//     directory  per table: first entry of every 64th bucket u32, entries of each bucket u16
//     lone       entries by bucket: fingerprint[5] row u32 field u8, then per secondary: shape u8 hash[5]
//     combined   entries by bucket: fingerprint[5] row u32 primary field u8 secondary field u8
//
// Limits: 2^32 - 1 rows, 16 fields, 2^32 - 1 entries per table, kMaxRowsPerValue rows per value (the others are
// counted at the build).
// Invariants: a bucket is chosen by bits 0-31 of the digest, the fingerprint is bits 32-71; the bytes of an open index
// never change (the builder replaces the file by rename); nothing is read before the whole body was hashed once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dlp/edm_hash.h"
#include "dlp/edm_value.h"

namespace sentinel::dlp {

constexpr size_t kHeaderBytes = 256;
constexpr size_t kHeaderMacAt = 104;
constexpr size_t kHeaderSealAt = 208;
constexpr size_t kPrologueBytes = 512;
constexpr uint32_t kIndexVersion = 1;
constexpr size_t kMaxFields = 16;
constexpr uint32_t kEntriesPerBucket = 32;
constexpr uint32_t kMaxRowsPerValue = 255;
constexpr size_t kSecondaryBytes = 6;
constexpr size_t kFingerprintBytes = 5;

struct FieldSpec {
  std::string column;
  FieldType type = FieldType::kNumber;
  bool primary = false;
  bool combined = false;  // stored only together with a secondary
};

// Which candidates are worth a hash. Bit n: length n.
struct Shapes {
  uint64_t number = 0, card = 0, ssn = 0, iban = 0;
  uint64_t phone = 0;
  uint64_t id[16] = {};  // by letters before the first digit
  uint8_t email = 0;
};

struct IndexMeta {
  std::string name;
  std::vector<FieldSpec> fields;
  uint32_t secondary = 0;
  uint32_t withinTokens = 0;
  bool sameRow = false;
  DateOrder dates = DateOrder::kAuto;
  uint64_t rows = 0;
  Shapes lone, combined;
  // Per secondary column (by its place among the fields): shapes its values have, for combinations.
  std::array<std::array<uint64_t, 4>, kMaxFields> shapes{};
};

std::string packMeta(const IndexMeta &meta);
bool unpackMeta(const std::string &bytes, IndexMeta *meta);

// Where things are; offsets are into the body.
struct Prologue {
  uint64_t metaAt = 0, metaBytes = 0;
  uint64_t bloomAt = 0, bloomBlocks = 0;
  uint64_t preAt = 0, preBits = 0, midAt = 0, midBits = 0;
  struct Table {
    uint64_t directoryAt = 0, at = 0, entries = 0, buckets = 0, entryBytes = 0;
  } lone, combined;
};

struct BloomBlock {
  alignas(32) uint32_t words[8];
};

// The eight bits of a hash in its block.
constexpr uint32_t kBloomSalts[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                     0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

inline uint64_t bloomBlockOf(uint64_t hash, uint64_t blocks) { return (hash >> 32) * blocks >> 32; }
inline uint64_t bitOf(uint64_t hash, uint64_t bits) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(hash) * bits >> 64);
}

// Whether the whole header is as it was when the index was finished, signature included.
bool headerIsSealed(const IndexKeys &keys, const uint8_t header[kHeaderBytes]);

enum class OpenError { kNone, kUnreadable, kNotAnIndex, kVersion, kTruncated, kWrongKey, kCorrupt };

class Index {
 public:
  ~Index();
  // `fd` is taken over.
  static std::shared_ptr<Index> open(int fd, const Key &master, OpenError *error, std::string *detail);

  const IndexMeta &meta() const { return meta_; }
  const IndexKeys &keys() const { return keys_; }
  const Prologue &prologue() const { return prologue_; }
  uint64_t fileBytes() const { return fileBytes_; }
  uint64_t createdMs() const { return createdMs_; }
  const std::vector<uint8_t> &secondaryFields() const { return secondaryFields_; }

  void prefetch(uint64_t hash) const { __builtin_prefetch(&bloom_[bloomBlockOf(hash, bloomBlocks_)]); }
  bool mayHold(uint64_t hash) const {
    const BloomBlock &block = bloom_[bloomBlockOf(hash, bloomBlocks_)];
    const uint32_t low = static_cast<uint32_t>(hash);
    uint32_t missing = 0;
    for (int i = 0; i < 8; ++i) missing |= ~block.words[i] & (1u << (low * kBloomSalts[i] >> 27));
    return missing == 0;
  }
#if defined(__x86_64__)
  bool mayHoldAvx2(uint64_t hash) const;
#endif
  bool maybePrimary(uint64_t hash) const { return testBit(pre_, bitOf(hash, prologue_.preBits)); }
  bool maybeCombination(uint64_t hash) const { return testBit(mid_, bitOf(hash, prologue_.midBits)); }

  // The entries of the bucket that have the digest's fingerprint, as bytes in `scratch`; returns how many, each of
  // table.entryBytes, moved to the front.
  size_t lookup(bool combined, const Digest &digest, std::vector<uint8_t> *scratch) const;

  // Share of random hashes that pass the filter.
  double measuredRate() const;
  // Probes of the table that the file system refused: such a value is not found.
  uint64_t readFailures() const { return readFailures_; }

 private:
  Index() = default;
  bool load(std::string *detail);
  static bool testBit(const std::vector<uint64_t> &bits, uint64_t bit) { return !bits.empty() && (bits[bit / 64] >> (bit % 64) & 1) != 0; }
  struct Directory {
    std::vector<uint32_t> firsts;
    std::vector<uint16_t> counts;
  };
  bool readBody(uint64_t at, void *to, size_t n) const;
  bool loadDirectory(const Prologue::Table &table, Directory *directory) const;

  int fd_ = -1;
  uint64_t fileBytes_ = 0, createdMs_ = 0;
  IndexKeys keys_{};
  IndexMeta meta_;
  Prologue prologue_;
  std::vector<uint8_t> secondaryFields_;
  BloomBlock *bloom_ = nullptr;
  uint64_t bloomBlocks_ = 0;
  std::vector<uint64_t> pre_, mid_;
  Directory directories_[2];
  mutable uint64_t readFailures_ = 0;
};

// Base 64 buckets, then counts: the bytes a directory takes.
inline uint64_t directoryFirsts(uint64_t buckets) { return (buckets + 63) / 64; }
inline uint64_t directoryBytes(uint64_t buckets) { return directoryFirsts(buckets) * 4 + buckets * 2; }

}  // namespace sentinel::dlp
