// The map from decoded to stream offsets of the text that a detector still looks at.
#pragma once

#include <vector>

#include "dlp/text.h"

namespace sentinel::dlp {

class OffsetTrail {
 public:
  void add(const OffsetMap& map) {
    for (size_t i = 0; i < map.count; i++) {
      const OffsetRun& run = map.runs[i];
      if (!runs_.empty()) {
        const OffsetRun& last = runs_.back();
        if (last.decodedUnit == run.decodedUnit && last.streamUnit == run.streamUnit &&
            last.stream + (run.decoded - last.decoded) / run.decodedUnit * run.streamUnit == run.stream)
          continue;
      }
      runs_.push_back(run);
    }
  }
  // Nothing before `decoded` will be asked for any more.
  void forget(uint64_t decoded) {
    size_t old = 0;
    while (old + 1 < runs_.size() && runs_[old + 1].decoded <= decoded) old++;
    if (old > 64 || (old > 0 && old * 2 > runs_.size())) runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(old));
  }
  uint64_t at(uint64_t decoded) const { return streamOffset(runs_.data(), runs_.size(), decoded); }
  void clear() { runs_.clear(); }

 private:
  std::vector<OffsetRun> runs_;
};

}  // namespace sentinel::dlp
