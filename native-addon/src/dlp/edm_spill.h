// Records of fixed size, spread over partitions on disk by the first four bytes. The files have no name, so nothing is
// left behind when the process ends, however it ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sentinel::dlp {

constexpr size_t kPartitions = 64;

class Spill {
 public:
  Spill(std::string dir, size_t recordBytes) : dir_(std::move(dir)), recordBytes_(recordBytes) {}
  ~Spill();
  // False when the disk is full or the folder cannot be written: error() says so.
  bool add(const uint8_t *record);
  // All records of one partition, unsorted.
  bool take(size_t partition, std::vector<uint8_t> *records);
  uint64_t count() const { return count_; }
  const std::string &error() const { return error_; }

 private:
  bool flush(size_t partition);
  struct Part {
    int fd = -1;
    std::vector<uint8_t> pending;
    uint64_t written = 0;
  };
  std::string dir_, error_;
  size_t recordBytes_;
  uint64_t count_ = 0;
  Part parts_[kPartitions];
};

}  // namespace sentinel::dlp
