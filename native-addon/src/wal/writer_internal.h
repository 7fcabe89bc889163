// What the parts of the writer share: its clocks and the block, one commit in the making.
#ifndef SENTINEL_WAL_WRITER_INTERNAL_H
#define SENTINEL_WAL_WRITER_INTERNAL_H
#include <time.h>

#include <chrono>
#include <cstdint>

#include "writer.h"

namespace swal {

inline uint64_t MonoNs() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000ull + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t WallNs() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000ull + static_cast<uint64_t>(now.tv_nsec);
}

inline std::chrono::steady_clock::time_point At(uint64_t mono_ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(mono_ns));
}

// One commit in the making: room for a segment header, the commit head, then records. Page-aligned for O_DIRECT.
struct Writer::Block {
  uint8_t *memory;
  size_t mapped;
  size_t capacity;  // of the body
  size_t body;
  uint32_t count;
  uint64_t base_seq;
  bool urgent;
  uint8_t *commit() { return memory + kHeaderBytes; }
  uint8_t *records() { return memory + kHeaderBytes + kCommitHead; }
};

}  // namespace swal
#endif
