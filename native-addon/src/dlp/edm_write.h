// Writes the sections of an index from the spilled records; see edm_index.h for the layout.
#pragma once

#include <string.h>

#include <algorithm>

#include "dlp/edm_build.h"
#include "dlp/edm_spill.h"

namespace sentinel::dlp {

// A spilled record starts with the 9 bytes of the digest that choose bucket and fingerprint.
constexpr size_t kDigestPart = 4 + kFingerprintBytes;
// digest part, fast hash u64, row u32, field u8, first u8
constexpr size_t kLoneHeadBytes = kDigestPart + 14;
// digest part, fast hash of the primary u64, of the pair u64, row u32, primary u8, secondary u8, first u8
constexpr size_t kCombinedRecordBytes = kDigestPart + 23;

inline size_t loneRecordBytes(size_t secondaries) { return kLoneHeadBytes + secondaries * kSecondaryBytes; }

inline void packLone(const Digest &digest, uint64_t fast, uint32_t row, uint8_t field, bool first, uint8_t *out) {
  memcpy(out, digest.bytes, kDigestPart);
  memcpy(out + kDigestPart, &fast, 8);
  memcpy(out + kDigestPart + 8, &row, 4);
  out[kDigestPart + 12] = field;
  out[kDigestPart + 13] = first;
}

inline void packCombined(const Digest &digest, uint64_t primary, uint64_t pair, uint32_t row, uint8_t primaryField,
                         uint8_t secondaryField, bool first, uint8_t *out) {
  memcpy(out, digest.bytes, kDigestPart);
  memcpy(out + kDigestPart, &primary, 8);
  memcpy(out + kDigestPart + 8, &pair, 8);
  memcpy(out + kDigestPart + 16, &row, 4);
  out[kDigestPart + 20] = primaryField;
  out[kDigestPart + 21] = secondaryField;
  out[kDigestPart + 22] = first;
}

class IndexWriter {
 public:
  IndexWriter(const BuildOptions &options, const IndexKeys &keys, const IndexMeta &meta, BuildProgress *progress, BuildReport *report)
      : options_(options), keys_(keys), meta_(meta), progress_(progress), report_(report) {}
  void write(Spill *lone, Spill *combined);

 private:
  bool fail(const std::string &error);
  bool put(uint64_t at, const void *bytes, size_t n);
  bool writeTable(bool combined, Spill *spill, Prologue::Table *table);
  bool writeHeader(uint64_t bodyBytes);

  const BuildOptions &options_;
  const IndexKeys &keys_;
  const IndexMeta &meta_;
  BuildProgress *progress_;
  BuildReport *report_;
  Prologue prologue_;
  std::vector<BloomBlock> bloom_;
  std::vector<uint64_t> pre_, mid_;
  std::vector<uint8_t> scratch_;
};

}  // namespace sentinel::dlp
