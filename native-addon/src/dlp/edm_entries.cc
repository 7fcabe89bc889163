#include "dlp/edm_entries.h"

#include <string.h>

#include "dlp/edm_write.h"

namespace sentinel::dlp {
namespace {

const uint8_t *bytesOf(const std::string &text) { return reinterpret_cast<const uint8_t *>(text.data()); }

}  // namespace

bool EntryHasher::add(uint64_t row, size_t field, const std::vector<std::string> &normals, bool first) {
  return meta_->fields[field].combined ? addCombined(row, field, normals, first) : addLone(row, field, normals, first);
}

bool EntryHasher::addLone(uint64_t row, size_t field, const std::vector<std::string> &normals, bool first) {
  PendingValue &pending = pendingLone_[pendingLoneCount_++];
  fillBlock(keys_, classOf(meta_->fields[field].type), bytesOf(normals[field]), normals[field].size(), &pending.block);
  pending.row = static_cast<uint32_t>(row);
  pending.field = static_cast<uint8_t>(field);
  pending.first = first;
  pending.normals.resize(secondaries_.size());
  for (size_t s = 0; s < secondaries_.size(); ++s) pending.normals[s] = normals[secondaries_[s]];
  return pendingLoneCount_ < kBatch || flushLone();
}

bool EntryHasher::flushLone() {
  const size_t n = pendingLoneCount_;
  pendingLoneCount_ = 0;
  const Block *blocks[kBatch];
  Digest digests[kBatch], bound[kBatch];
  Block boundBlocks[kBatch];
  const Block *boundInputs[kBatch];
  for (size_t i = 0; i < n; ++i) blocks[i] = &pendingLone_[i].block;
  if (n > 0) hashBlocks(keys_.primary, blocks, n, digests);
  std::vector<uint8_t> records(n * loneRecordBytes(secondaries_.size()));
  for (size_t i = 0; i < n; ++i) {
    packLone(digests[i], fastHash(keys_, pendingLone_[i].block), pendingLone_[i].row, pendingLone_[i].field, pendingLone_[i].first,
             &records[i * loneRecordBytes(secondaries_.size())]);
  }
  for (size_t s = 0; s < secondaries_.size(); ++s) {
    const size_t field = secondaries_[s];
    const ValueClass valueClass = classOf(meta_->fields[field].type);
    for (size_t i = 0; i < n; ++i) {
      const std::string &normal = pendingLone_[i].normals[s];
      fillBoundBlock(keys_, digests[i], static_cast<uint8_t>(field), valueClass, bytesOf(normal), normal.size(), &boundBlocks[i]);
      boundInputs[i] = &boundBlocks[i];
    }
    if (n > 0) hashBlocks(keys_.secondary, boundInputs, n, bound);
    for (size_t i = 0; i < n; ++i) {
      const std::string &normal = pendingLone_[i].normals[s];
      uint8_t *at = &records[i * loneRecordBytes(secondaries_.size())] + kLoneHeadBytes + s * kSecondaryBytes;
      if (normal.empty()) continue;  // shape 0: no value
      at[0] = shapeOf(valueClass, normal);
      memcpy(at + 1, bound[i].bytes, kSecondaryBytes - 1);
    }
  }
  for (size_t i = 0; i < n; ++i) {
    if (!lone_->add(&records[i * loneRecordBytes(secondaries_.size())])) return error_ = lone_->error(), false;
  }
  return true;
}

bool EntryHasher::addCombined(uint64_t row, size_t field, const std::vector<std::string> &normals, bool first) {
  Block block;
  fillBlock(keys_, classOf(meta_->fields[field].type), bytesOf(normals[field]), normals[field].size(), &block);
  const Block *one = &block;
  Digest digest;
  hashBlocks(keys_.primary, &one, 1, &digest);
  for (const size_t s : secondaries_) {
    const std::string &normal = normals[s];
    if (normal.empty()) continue;
    const ValueClass valueClass = classOf(meta_->fields[s].type);
    PendingPair &pair = pendingPairs_[pendingPairCount_++];
    fillBoundBlock(keys_, digest, static_cast<uint8_t>(s), valueClass, bytesOf(normal), normal.size(), &pair.bound);
    pair.primaryHash = fastHash(keys_, block);
    pair.pairHash = fastHash(keys_, pair.bound);
    pair.row = static_cast<uint32_t>(row);
    pair.primary = static_cast<uint8_t>(field);
    pair.secondary = static_cast<uint8_t>(s);
    pair.first = first;
    first = false;
    const uint8_t shape = shapeOf(valueClass, normal);
    meta_->shapes[s][shape / 64] |= 1ull << shape % 64;
    if (pendingPairCount_ == kBatch && !flushCombined()) return false;
  }
  return true;
}

bool EntryHasher::flushCombined() {
  const size_t n = pendingPairCount_;
  pendingPairCount_ = 0;
  if (n == 0) return true;
  const Block *blocks[kBatch];
  Digest digests[kBatch];
  for (size_t i = 0; i < n; ++i) blocks[i] = &pendingPairs_[i].bound;
  hashBlocks(keys_.combined, blocks, n, digests);
  stretch(keys_.combined, digests, n);
  for (size_t i = 0; i < n; ++i) {
    uint8_t record[kCombinedRecordBytes];
    const PendingPair &pair = pendingPairs_[i];
    packCombined(digests[i], pair.primaryHash, pair.pairHash, pair.row, pair.primary, pair.secondary, pair.first, record);
    if (!combined_->add(record)) return error_ = combined_->error(), false;
  }
  return true;
}

}  // namespace sentinel::dlp
