#include "dlp/edm_write.h"

#include <errno.h>
#include <unistd.h>

extern "C" {
#include "blake3/blake3.h"
}

namespace sentinel::dlp {
namespace {

// Bits per value: 12 in the Bloom filter; 16 in the bitmaps over values that are only stored in combination, of which
// each value sets one, so that at most a sixteenth of all possible values pass.
constexpr uint64_t kBloomBits = 12;
constexpr uint64_t kBitmapBits = 16;
constexpr size_t kFlushBytes = 1 << 20;

uint64_t align64(uint64_t at) { return (at + 63) / 64 * 64; }

}  // namespace

bool IndexWriter::fail(const std::string &error) {
  if (report_->error.empty()) {
    report_->error = error;
    report_->remedy = "the index in force, if any, is unchanged";
  }
  return false;
}

bool IndexWriter::put(uint64_t at, const void *bytes, size_t n) {
  const auto *from = static_cast<const uint8_t *>(bytes);
  while (n > 0) {
    const size_t part = std::min(n, kFlushBytes);
    scratch_.assign(from, from + part);
    applyKeystream(keys_.stream, at, scratch_.data(), part);
    for (size_t done = 0; done < part;) {
      const ssize_t wrote = pwrite(options_.outFd, scratch_.data() + done, part - done, static_cast<off_t>(kHeaderBytes + at + done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return fail(std::string("the index cannot be written: ") + strerror(errno));
      done += static_cast<size_t>(wrote);
    }
    from += part;
    at += part;
    n -= part;
  }
  return true;
}

bool IndexWriter::writeTable(bool combined, Spill *spill, Prologue::Table *table) {
  const size_t recordBytes = combined ? kCombinedRecordBytes : loneRecordBytes(static_cast<size_t>(
                                            std::count_if(meta_.fields.begin(), meta_.fields.end(), [](const FieldSpec &f) { return !f.primary; })));
  const size_t firstAt = combined ? recordBytes - 1 : kDigestPart + 13;
  // What goes into the table: all but the fast hashes and the mark of the first.
  const size_t fastBytes = combined ? 16 : 8;
  table->entryBytes = kFingerprintBytes + recordBytes - kDigestPart - fastBytes - 1;
  std::vector<uint32_t> firsts(directoryFirsts(table->buckets));
  std::vector<uint16_t> counts(table->buckets);
  std::vector<uint8_t> records, out;
  std::vector<const uint8_t *> order;
  uint64_t entries = 0, at = table->at;
  for (size_t part = 0; part < kPartitions; ++part) {
    if (progress_->cancel) return fail("cancelled");
    if (!spill->take(part, &records)) return fail(spill->error());
    order.clear();
    for (size_t i = 0; i < records.size(); i += recordBytes) order.push_back(records.data() + i);
    const auto compared = [&](const uint8_t *a, const uint8_t *b) {
      uint32_t topA, topB;
      memcpy(&topA, a, 4);
      memcpy(&topB, b, 4);
      if (topA != topB) return topA < topB ? -1 : 1;
      if (const int order = memcmp(a + 4, b + 4, kFingerprintBytes + fastBytes)) return order;
      // Equal values: the same column and the same secondaries make a duplicate row; the row number decides last.
      const size_t rest = kDigestPart + fastBytes + 4;
      return memcmp(a + rest, b + rest, firstAt - rest) != 0 ? memcmp(a + rest, b + rest, firstAt - rest)
                                                              : memcmp(a + firstAt + 1, b + firstAt + 1, recordBytes - firstAt - 1);
    };
    std::sort(order.begin(), order.end(), [&](const uint8_t *a, const uint8_t *b) {
      const int result = compared(a, b);
      if (result != 0) return result < 0;
      uint32_t rowA, rowB;
      memcpy(&rowA, a + kDigestPart + fastBytes, 4);
      memcpy(&rowB, b + kDigestPart + fastBytes, 4);
      return rowA < rowB;
    });
    const uint8_t *before = nullptr;
    uint32_t sameValue = 0;
    for (const uint8_t *record : order) {
      if (before && compared(before, record) == 0) {
        if (record[firstAt]) ++report_->duplicateRows;
        continue;
      }
      sameValue = before && memcmp(before, record, kDigestPart) == 0 ? sameValue + 1 : 1;
      before = record;
      if (sameValue > kMaxRowsPerValue) {
        ++report_->droppedOverLimit;
        continue;
      }
      uint32_t top;
      memcpy(&top, record, 4);
      const uint64_t bucket = static_cast<uint64_t>(top) * table->buckets >> 32;
      if (counts[bucket] == UINT16_MAX) {
        ++report_->droppedOverLimit;
        continue;
      }
      ++counts[bucket];
      ++entries;
      uint64_t fast[2] = {};
      memcpy(fast, record + kDigestPart, fastBytes);
      if (combined) {
        const uint64_t pre = bitOf(fast[0], prologue_.preBits), mid = bitOf(fast[1], prologue_.midBits);
        pre_[pre / 64] |= 1ull << pre % 64;
        mid_[mid / 64] |= 1ull << mid % 64;
      } else {
        BloomBlock &block = bloom_[bloomBlockOf(fast[0], prologue_.bloomBlocks)];
        for (int i = 0; i < 8; ++i) block.words[i] |= 1u << (static_cast<uint32_t>(fast[0]) * kBloomSalts[i] >> 27);
      }
      out.insert(out.end(), record + 4, record + kDigestPart);
      const uint8_t *rest = record + kDigestPart + fastBytes;
      out.insert(out.end(), rest, record + firstAt);
      out.insert(out.end(), record + firstAt + 1, record + recordBytes);
      if (out.size() >= kFlushBytes) {
        if (!put(at, out.data(), out.size())) return false;
        at += out.size();
        out.clear();
      }
    }
    ++progress_->partitions;
  }
  if (!out.empty() && !put(at, out.data(), out.size())) return false;
  uint64_t running = 0;
  for (uint64_t bucket = 0; bucket < table->buckets; ++bucket) {
    if (bucket % 64 == 0) firsts[bucket / 64] = static_cast<uint32_t>(running);
    running += counts[bucket];
  }
  table->entries = entries;
  return put(table->directoryAt, firsts.data(), firsts.size() * 4) &&
         put(table->directoryAt + firsts.size() * 4, counts.data(), counts.size() * 2);
}

void IndexWriter::write(Spill *lone, Spill *combined) {
  const uint64_t loneCount = lone->count(), combinedCount = combined->count();
  const auto buckets = [](uint64_t count) { return count == 0 ? 0 : (count + kEntriesPerBucket - 1) / kEntriesPerBucket; };
  const std::string meta = packMeta(meta_);
  prologue_.metaAt = kPrologueBytes;
  prologue_.metaBytes = meta.size();
  prologue_.bloomAt = align64(prologue_.metaAt + meta.size());
  prologue_.bloomBlocks = loneCount == 0 ? 0 : (loneCount * kBloomBits + 255) / 256;
  prologue_.preAt = prologue_.bloomAt + prologue_.bloomBlocks * 32;
  prologue_.preBits = align64(combinedCount * kBitmapBits);
  prologue_.midAt = prologue_.preAt + prologue_.preBits / 8;
  prologue_.midBits = prologue_.preBits;
  prologue_.lone.buckets = buckets(loneCount);
  prologue_.combined.buckets = buckets(combinedCount);
  prologue_.lone.directoryAt = align64(prologue_.midAt + prologue_.midBits / 8);
  prologue_.combined.directoryAt = align64(prologue_.lone.directoryAt + directoryBytes(prologue_.lone.buckets));
  prologue_.lone.at = align64(prologue_.combined.directoryAt + directoryBytes(prologue_.combined.buckets));
  bloom_.resize(prologue_.bloomBlocks);
  for (BloomBlock &block : bloom_) block = BloomBlock{};
  pre_.resize(prologue_.preBits / 64);
  mid_.resize(prologue_.midBits / 64);
  if (!writeTable(false, lone, &prologue_.lone)) return;
  prologue_.combined.at = align64(prologue_.lone.at + prologue_.lone.entries * prologue_.lone.entryBytes);
  if (!writeTable(true, combined, &prologue_.combined)) return;
  const uint64_t end = prologue_.combined.at + prologue_.combined.entries * prologue_.combined.entryBytes;
  // Gaps between sections are keystream too.
  const uint8_t zeros[64] = {};
  uint8_t prologue[kPrologueBytes] = {};
  memcpy(prologue, &prologue_, sizeof prologue_);
  const auto gap = [&](uint64_t from, uint64_t to) { return to <= from || put(from, zeros, to - from); };
  const bool done =
      put(0, prologue, sizeof prologue) && put(prologue_.metaAt, meta.data(), meta.size()) &&
      gap(prologue_.metaAt + meta.size(), prologue_.bloomAt) && put(prologue_.bloomAt, bloom_.data(), bloom_.size() * 32) &&
      put(prologue_.preAt, pre_.data(), pre_.size() * 8) && put(prologue_.midAt, mid_.data(), mid_.size() * 8) &&
      gap(prologue_.midAt + prologue_.midBits / 8, prologue_.lone.directoryAt) &&
      gap(prologue_.lone.directoryAt + directoryBytes(prologue_.lone.buckets), prologue_.combined.directoryAt) &&
      gap(prologue_.combined.directoryAt + directoryBytes(prologue_.combined.buckets), prologue_.lone.at) &&
      gap(prologue_.lone.at + prologue_.lone.entries * prologue_.lone.entryBytes, prologue_.combined.at);
  if (!done) return;
  report_->entries = prologue_.lone.entries;
  report_->combinations = prologue_.combined.entries;
  writeHeader(end);
}

bool IndexWriter::writeHeader(uint64_t bodyBytes) {
  uint8_t header[kHeaderBytes] = {};
  memcpy(header, "SDLPIDX1", 8);
  memcpy(header + 8, &kIndexVersion, 4);
  const std::string id = keyIdOf(options_.master);
  for (int i = 0; i < 8; ++i) header[16 + i] = static_cast<uint8_t>(strtoul(id.substr(static_cast<size_t>(i) * 2, 2).c_str(), nullptr, 16));
  memcpy(header + 24, options_.salt, 32);
  memcpy(header + 56, &options_.createdMs, 8);
  const uint64_t fileBytes = kHeaderBytes + bodyBytes;
  memcpy(header + 64, &fileBytes, 8);
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  scratch_.resize(kFlushBytes);
  for (uint64_t at = kHeaderBytes; at < fileBytes;) {
    const ssize_t got = pread(options_.outFd, scratch_.data(), std::min<uint64_t>(kFlushBytes, fileBytes - at), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail("the index cannot be read back");
    blake3_hasher_update(&hasher, scratch_.data(), static_cast<size_t>(got));
    at += static_cast<uint64_t>(got);
  }
  blake3_hasher_finalize(&hasher, header + 72, 32);
  blake3_hasher_init_keyed(&hasher, keys_.mac.data());
  blake3_hasher_update(&hasher, header, kHeaderMacAt);
  blake3_hasher_finalize(&hasher, header + kHeaderMacAt, 32);
  if (pwrite(options_.outFd, header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return fail("the index cannot be written");
  return true;
}

}  // namespace sentinel::dlp
