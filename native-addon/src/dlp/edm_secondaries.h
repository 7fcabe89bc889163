// Takes what stands around a primary value and compares it with what the index holds of its row.
#pragma once

#include <string.h>

#include <algorithm>
#include <vector>

#include "dlp/edm_hash.h"
#include "dlp/edm_index.h"
#include "dlp/edm_window.h"

namespace sentinel::dlp {

// Compares what stands around with the secondaries of one entry.
class EntryCheck final : public SecondarySink {
 public:
  EntryCheck(const IndexKeys &keys, const Digest &primary, const std::vector<uint8_t> &fields, const uint8_t *secondaries, uint32_t needed)
      : keys_(keys), primary_(primary), fields_(fields), secondaries_(secondaries), needed_(needed) {}
  bool value(uint8_t field, ValueClass valueClass, uint8_t shape, const uint8_t *normal, size_t n) override {
    if (found_ >> field & 1) return true;
    fillBoundBlock(keys_, primary_, field, valueClass, normal, n, &blocks_[count_]);
    of_[count_] = field;
    if (++count_ == kBatch) flush();
    return static_cast<uint32_t>(__builtin_popcount(found_)) < needed_;
  }
  uint32_t finish() {
    flush();
    explicit_bzero(blocks_, sizeof blocks_);
    return found_;
  }

 private:
  void flush() {
    const Block *inputs[kBatch];
    Digest digests[kBatch];
    for (size_t i = 0; i < count_; ++i) inputs[i] = &blocks_[i];
    if (count_ > 0) hashBlocks(keys_.secondary, inputs, count_, digests);
    for (size_t i = 0; i < count_; ++i) {
      const size_t place = static_cast<size_t>(std::find(fields_.begin(), fields_.end(), of_[i]) - fields_.begin());
      if (memcmp(secondaries_ + place * kSecondaryBytes + 1, digests[i].bytes, kSecondaryBytes - 1) == 0) found_ |= 1u << of_[i];
    }
    count_ = 0;
  }
  const IndexKeys &keys_;
  const Digest &primary_;
  const std::vector<uint8_t> &fields_;
  const uint8_t *secondaries_;
  uint32_t needed_, found_ = 0;
  size_t count_ = 0;
  Block blocks_[kBatch];
  uint8_t of_[kBatch];
};

// Gathers the combinations that pass the second bitmap.
class PairGather final : public SecondarySink {
 public:
  PairGather(const Index &index, const Digest &primary, std::vector<Block> *pairs) : index_(index), primary_(primary), pairs_(pairs) {}
  bool value(uint8_t field, ValueClass valueClass, uint8_t shape, const uint8_t *normal, size_t n) override {
    Block block;
    fillBoundBlock(index_.keys(), primary_, field, valueClass, normal, n, &block);
    if (index_.maybeCombination(fastHash(index_.keys(), block))) pairs_->push_back(block);
    return true;
  }

 private:
  const Index &index_;
  const Digest &primary_;
  std::vector<Block> *pairs_;
};

}  // namespace sentinel::dlp
