// Hashes the values of a table into records of the index, a batch at a time.
#pragma once

#include <string>
#include <vector>

#include "dlp/edm_hash.h"
#include "dlp/edm_index.h"
#include "dlp/edm_spill.h"

namespace sentinel::dlp {

class EntryHasher {
 public:
  // `meta` learns the shapes of secondaries of combinations; `secondaries` are places among its fields. All outlive this.
  EntryHasher(const IndexKeys &keys, IndexMeta *meta, const std::vector<size_t> &secondaries, Spill *lone, Spill *combined)
      : keys_(keys), meta_(meta), secondaries_(secondaries), lone_(lone), combined_(combined) {}

  // The value of a primary field, alone or with each secondary, as the field says. `normals` by field, empty for none;
  // `first`: the row has no entry yet. False: see error().
  bool add(uint64_t row, size_t field, const std::vector<std::string> &normals, bool first);
  // What waits for a whole batch.
  bool flush() { return flushLone() && flushCombined(); }
  const std::string &error() const { return error_; }

 private:
  struct PendingValue {
    Block block;
    uint32_t row;
    uint8_t field;
    bool first;
    std::vector<std::string> normals;  // per secondary
  };
  struct PendingPair {
    Block bound;
    uint64_t primaryHash, pairHash;
    uint32_t row;
    uint8_t primary, secondary;
    bool first;
  };
  bool addLone(uint64_t row, size_t field, const std::vector<std::string> &normals, bool first);
  bool addCombined(uint64_t row, size_t field, const std::vector<std::string> &normals, bool first);
  bool flushLone();
  bool flushCombined();

  const IndexKeys &keys_;
  IndexMeta *meta_;
  const std::vector<size_t> &secondaries_;
  Spill *lone_, *combined_;
  std::string error_;
  PendingValue pendingLone_[kBatch];
  size_t pendingLoneCount_ = 0;
  PendingPair pendingPairs_[kBatch];
  size_t pendingPairCount_ = 0;
};

}  // namespace sentinel::dlp
