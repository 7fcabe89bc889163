#include "dlp/scanner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace sentinel::dlp {

Scan::Scan(const Sources &sources, const ScanLimits &limits)
    : sources_(sources), limits_(limits), decoder_(limits.portable), escapes_(sources, limits.portable, limits.maxHits), list_(limits.maxHits), started_(std::chrono::steady_clock::now()) {
  uint32_t handle = 0;
  for (const auto &source : sources_) detectors_.push_back(source->detector(handle++, limits.portable));
}

bool Scan::mayGoOn(size_t more) {
  if (outcome_ != Outcome::kOk) return false;
  if (limits_.abort && limits_.abort->load(std::memory_order_relaxed) != 0) outcome_ = Outcome::kAborted;
  else if (limits_.maxBytes && bytes_ + more > limits_.maxBytes) outcome_ = Outcome::kTooLarge;
  else if (limits_.deadlineMs && std::chrono::steady_clock::now() - started_ > std::chrono::milliseconds(limits_.deadlineMs))
    outcome_ = Outcome::kTime;
  return outcome_ == Outcome::kOk;
}

void Scan::text(const uint8_t *utf8, size_t n, const OffsetMap &map) {
  for (const auto &detector : detectors_) detector->feed(utf8, n, map, list_);
  escapes_.text(utf8, n, map);
}

bool Scan::feed(const uint8_t *bytes, size_t n) {
  while (n > 0) {
    const size_t part = std::min(n, kChunkBytes);
    if (!mayGoOn(part)) return false;
    bytes_ += part;
    for (const auto &detector : detectors_) detector->raw(bytes, part);
    decoder_.feed(bytes, part, false, *this);
    bytes += part;
    n -= part;
  }
  return true;
}

void Scan::finish() {
  if (finished_) return;
  finished_ = true;
  decoder_.feed(nullptr, 0, true, *this);
  for (const auto &detector : detectors_) detector->finish(list_);
  escapes_.finish(&list_);
  detectors_.clear();
}

void Scan::readAll(int fd) {
  struct stat before = {}, after = {};
  if (fstat(fd, &before) != 0) {
    outcome_ = Outcome::kUnreadable;
    detail_ = strerror(errno);
    return;
  }
  const bool regular = S_ISREG(before.st_mode);
  if (regular && limits_.maxBytes && static_cast<uint64_t>(before.st_size) > limits_.maxBytes) {
    outcome_ = Outcome::kTooLarge;
    return;
  }
  if (regular) posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  const std::unique_ptr<uint8_t, decltype(&free)> buffer(static_cast<uint8_t *>(malloc(kChunkBytes)), &free);
  if (!buffer) {
    outcome_ = Outcome::kUnreadable;
    detail_ = "out of memory";
    return;
  }
  size_t used = 0;
  for (;;) {
    // A regular file is read from its start, wherever the descriptor stands: others may have read from it.
    const ssize_t got = regular ? pread(fd, buffer.get(), kChunkBytes, static_cast<off_t>(bytes_))
                                : read(fd, buffer.get(), kChunkBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      outcome_ = Outcome::kUnreadable;
      detail_ = strerror(errno);
    }
    if (got <= 0) break;
    used = std::max(used, static_cast<size_t>(got));
    if (!feed(buffer.get(), static_cast<size_t>(got))) break;
  }
  explicit_bzero(buffer.get(), used);
  finish();
  if (outcome_ == Outcome::kOk && regular &&
      (fstat(fd, &after) != 0 || after.st_size != before.st_size || after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
       after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)) {
    outcome_ = Outcome::kChanged;
  }
}

}  // namespace sentinel::dlp
