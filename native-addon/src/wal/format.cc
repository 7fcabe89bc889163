#include "format.h"

#include <cstring>

#include "../blake3/blake3.h"
#include "crc32c.h"

namespace swal {
namespace {

constexpr uint32_t kCommitMagic = 0x434c5753;  // "SWLC"

template <typename T>
void Put(uint8_t *at, T value) {
  memcpy(at, &value, sizeof value);
}

template <typename T>
T Get(const uint8_t *at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

void EncodeHeader(const SegmentHeader &header, uint8_t *out) {
  memset(out, 0, kHeaderBytes);
  memcpy(out, "SWAL1\r\n\x1a", 8);
  Put<uint32_t>(out + 8, 1);
  Put<uint32_t>(out + 16, header.lane);
  Put<uint32_t>(out + 20, header.segment_bytes);
  Put<uint64_t>(out + 24, header.segment);
  Put<uint64_t>(out + 32, header.base_seq);
  Put<uint64_t>(out + 40, header.first_commit);
  Put<uint64_t>(out + 48, header.epoch);
  Put<uint64_t>(out + 56, header.wall_ns);
  Put<uint32_t>(out + 64, header.salt);
  memcpy(out + 72, header.prev_chain, kChainBytes);
  memcpy(out + 104, header.device.data(), header.device.size() < 64 ? header.device.size() : 64);
  Put<uint32_t>(out + 12, Crc32c(0, out, kPage));
  memcpy(out + kPage, out, kPage);
}

size_t EncodeRecord(uint8_t *out, uint16_t type, uint16_t flags, uint16_t schema, uint16_t cpu, uint64_t wall_ns,
                    const void *payload, uint32_t len) {
  const size_t padded = RecordBytes(len);
  Put<uint32_t>(out + 4, len);
  Put<uint64_t>(out + 16, wall_ns);
  Put<uint16_t>(out + 24, type);
  Put<uint16_t>(out + 26, flags);
  Put<uint16_t>(out + 28, schema);
  Put<uint16_t>(out + 30, cpu);
  if (len > 0) memcpy(out + kRecordHead, payload, len);
  memset(out + kRecordHead + len, 0, padded - kRecordHead - len);
  return padded;
}

void SealRecords(uint8_t *records, size_t body_len, uint64_t base_seq, uint32_t salt) {
  for (size_t at = 0; at < body_len; base_seq++) {
    uint8_t *record = records + at;
    const uint32_t len = Get<uint32_t>(record + 4);
    Put<uint64_t>(record + 8, base_seq);
    Put<uint32_t>(record, Crc32c(salt, record + 4, kRecordHead - 4 + len));
    at += RecordBytes(len);
  }
}

size_t SealCommit(uint8_t *commit, size_t body_len, const CommitHead &head, uint8_t chain[kChainBytes],
                  uint32_t salt) {
  const size_t used = kCommitHead + body_len;
  const size_t padded = PadTo(used, kPage);
  memset(commit + used, 0, padded - used);
  Put<uint32_t>(commit + 4, kCommitMagic);
  Put<uint32_t>(commit + 8, static_cast<uint32_t>(body_len));
  Put<uint32_t>(commit + 12, head.count);
  Put<uint64_t>(commit + 16, head.commit_no);
  Put<uint64_t>(commit + 24, head.base_seq);
  Put<uint32_t>(commit + 64, head.flags);
  Put<uint32_t>(commit + 68, 0);
  Put<uint64_t>(commit + 72, head.wall_ns);
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, chain, kChainBytes);
  blake3_hasher_update(&hasher, commit + 4, 28);
  blake3_hasher_update(&hasher, commit + 64, kCommitHead - 64 + body_len);
  blake3_hasher_finalize(&hasher, chain, kChainBytes);
  memcpy(commit + 32, chain, kChainBytes);
  Put<uint32_t>(commit, Crc32c(salt, commit + 4, padded - 4));
  return padded;
}

}  // namespace swal
