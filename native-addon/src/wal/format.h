// The byte layout of SWAL1. The authoritative description, limits and invariants are at the top of
// agent/wal/format.ts; this is the writing half of it. Little-endian hosts only.
#ifndef SENTINEL_WAL_FORMAT_H
#define SENTINEL_WAL_FORMAT_H
#include <cstddef>
#include <cstdint>
#include <string>

namespace swal {

constexpr size_t kPage = 4096;
constexpr size_t kHeaderBytes = 2 * kPage;
constexpr size_t kCommitHead = 80;
constexpr size_t kRecordHead = 32;
constexpr size_t kCommitTarget = 1024 * 1024;
constexpr size_t kChainBytes = 32;
constexpr uint32_t kFlagIdle = 1;
constexpr uint32_t kFlagCleanClose = 2;

inline size_t PadTo(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }
inline size_t RecordBytes(size_t payload) { return PadTo(kRecordHead + payload, 8); }
inline size_t MaxPayload(size_t segment_bytes) {
  return segment_bytes - kHeaderBytes - kCommitHead - kRecordHead - 8;
}

// How JavaScript hands records over: PACKED_HEADER_BYTES in agent/wal/types.ts.
struct PackedHead {
  uint32_t len;
  uint16_t type, schema, flags, cpu;
  uint32_t zero;
  uint64_t wall_ns;
} __attribute__((packed));
constexpr size_t kPackedHead = 24;
static_assert(sizeof(PackedHead) == kPackedHead, "layout shared with JavaScript");
inline size_t PackedBytes(size_t payload) { return PadTo(kPackedHead + payload, 8); }

struct SegmentHeader {
  uint32_t lane;
  uint32_t segment_bytes;
  uint64_t segment;
  uint64_t base_seq;
  uint64_t first_commit;
  uint64_t epoch;
  uint64_t wall_ns;
  uint32_t salt;
  uint8_t prev_chain[kChainBytes];
  std::string device;
};

// Writes both header copies, kHeaderBytes in all.
void EncodeHeader(const SegmentHeader &header, uint8_t *out);

// Writes the head of a record; number and checksum follow at SealRecords. Returns the bytes the record takes.
size_t EncodeRecord(uint8_t *out, uint16_t type, uint16_t flags, uint16_t schema, uint16_t cpu, uint64_t wall_ns,
                    const void *payload, uint32_t len);

// Numbers `count` records from base_seq and fills in their checksums.
void SealRecords(uint8_t *records, size_t body_len, uint64_t base_seq, uint32_t salt);

struct CommitHead {
  uint64_t commit_no;
  uint64_t base_seq;
  uint32_t count;
  uint32_t flags;
  uint64_t wall_ns;
};

// Completes the commit at `commit` (head, then body_len bytes of sealed records): zero padding, chain, checksum.
// `chain` holds the previous chain on entry and this commit's on return. Returns the padded length.
size_t SealCommit(uint8_t *commit, size_t body_len, const CommitHead &head, uint8_t chain[kChainBytes], uint32_t salt);

}  // namespace swal
#endif
