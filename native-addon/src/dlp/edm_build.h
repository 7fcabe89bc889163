// Builds an index from a CSV file in bounded memory: values are hashed as they are read, records go to partitions on
// disk by the top bits of their digest, and each partition is sorted alone. The output descriptor receives header and
// body; signing, syncing and renaming are the caller's.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "dlp/edm_index.h"

namespace sentinel::dlp {

struct BuildProgress {
  std::atomic<uint64_t> bytesRead{0}, totalBytes{0}, rows{0}, partitions{0};
  std::atomic<bool> cancel{false};
};

struct BadCell {
  uint64_t row, line;
  std::string column, problem, remedy;
};

struct BuildReport {
  uint64_t rows = 0;              // in the file, without its header
  uint64_t indexedRows = 0;       // with at least one value that finds them
  uint64_t badRows = 0;           // with at least one value that was left out
  uint64_t rowsWithoutPrimary = 0;
  uint64_t rowsWithoutSecondary = 0;  // fewer secondaries than a match needs
  uint64_t duplicateRows = 0;
  uint64_t entries = 0, combinations = 0;
  uint64_t droppedOverLimit = 0;  // more than kMaxRowsPerValue rows with one value
  std::vector<BadCell> bad;       // the first kMaxBadCells
  std::string error, remedy;      // why there is no index
};

constexpr size_t kMaxBadCells = 1000;

struct BuildOptions {
  int csvFd = -1;
  int outFd = -1;
  std::string tempDir;
  IndexMeta meta;  // name, fields, rule; the rest is found out
  char delimiter = ',';
  bool strict = false;
  Key master;
  uint8_t salt[32];
  uint64_t createdMs = 0;
};

void buildIndex(BuildOptions options, BuildProgress *progress, BuildReport *report);

}  // namespace sentinel::dlp
