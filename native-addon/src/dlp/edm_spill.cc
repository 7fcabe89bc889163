#include "dlp/edm_spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace sentinel::dlp {
namespace {

constexpr size_t kPendingBytes = 64 * 1024;

int openNameless(const std::string &dir) {
#ifdef O_TMPFILE
  const int fd = open(dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
#endif
  std::string path = dir + "/.sdlp-XXXXXX";
  const int named = mkostemp(&path[0], O_CLOEXEC);
  if (named >= 0) unlink(path.c_str());
  return named;
}

}  // namespace

Spill::~Spill() {
  for (Part &part : parts_) {
    if (part.fd >= 0) close(part.fd);
  }
}

bool Spill::add(const uint8_t *record) {
  uint32_t top;
  memcpy(&top, record, 4);
  Part &part = parts_[top / (UINT32_MAX / kPartitions + 1)];
  part.pending.insert(part.pending.end(), record, record + recordBytes_);
  ++count_;
  return part.pending.size() < kPendingBytes || flush(top / (UINT32_MAX / kPartitions + 1));
}

bool Spill::flush(size_t partition) {
  Part &part = parts_[partition];
  if (part.fd < 0 && (part.fd = openNameless(dir_)) < 0) {
    error_ = "cannot write to " + dir_ + ": " + strerror(errno);
    return false;
  }
  for (size_t at = 0; at < part.pending.size();) {
    const ssize_t put = write(part.fd, part.pending.data() + at, part.pending.size() - at);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      error_ = "cannot write to " + dir_ + ": " + strerror(errno);
      return false;
    }
    at += static_cast<size_t>(put);
  }
  part.written += part.pending.size();
  part.pending.clear();
  return true;
}

bool Spill::take(size_t partition, std::vector<uint8_t> *records) {
  Part &part = parts_[partition];
  records->resize(part.written + part.pending.size());
  for (uint64_t at = 0; at < part.written;) {
    const ssize_t got = pread(part.fd, records->data() + at, part.written - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      error_ = "cannot read back from " + dir_;
      return false;
    }
    at += static_cast<uint64_t>(got);
  }
  if (!part.pending.empty()) memcpy(records->data() + part.written, part.pending.data(), part.pending.size());
  part.pending = {};
  if (part.fd >= 0) close(part.fd);
  part.fd = -1;
  part.written = 0;
  return true;
}

}  // namespace sentinel::dlp
