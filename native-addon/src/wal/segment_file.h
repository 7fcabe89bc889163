// One segment file and the few system calls the writer makes: open, fallocate, pwrite, fdatasync, fsync, ftruncate,
// unlink, close, statvfs. Every call returns 0 or an errno.
#ifndef SENTINEL_WAL_SEGMENT_FILE_H
#define SENTINEL_WAL_SEGMENT_FILE_H
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace swal {

struct SegmentFile {
  int fd = -1;
  bool direct = false;
  uint64_t number = 0;
  std::string path;
};

struct CreateOptions {
  std::string dir;
  uint64_t number;
  uint32_t bytes;
  // In: try O_DIRECT. Out: what was used. Refusal (tmpfs, overlay) falls back to the page cache and fdatasync.
  bool direct;
  uint64_t min_free;
  // Called between chunks of zeros; may sleep. Returns false to give up (ECANCELED).
  std::function<bool()> pace;
};

// Creates the file full of zeros and makes data, size and directory entry durable. On failure the file is gone and
// `what` names the step. ENOSPC also stands for "less than min_free would be left".
int CreateSegment(CreateOptions &options, SegmentFile *out, std::string *what);

// Writes at a page-aligned offset from page-aligned memory; on return the bytes are durable.
int WriteDurable(const SegmentFile &file, const uint8_t *data, size_t len, uint64_t offset);

// Cuts a finished segment to the bytes it uses and closes it.
void SealAndClose(SegmentFile *file, uint64_t used);
void CloseFile(SegmentFile *file);
void RemoveFile(SegmentFile *file);

}  // namespace swal
#endif
