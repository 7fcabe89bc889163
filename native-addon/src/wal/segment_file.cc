#include "segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "format.h"

namespace swal {
namespace {

constexpr size_t kZeroChunk = 256 * 1024;

int WriteAll(int fd, const uint8_t *data, size_t len, uint64_t offset) {
  while (len > 0) {
    const ssize_t n = pwrite(fd, data, len, static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (n == 0) return EIO;
    data += n;
    len -= static_cast<size_t>(n);
    offset += static_cast<uint64_t>(n);
  }
  return 0;
}

int SyncDirectory(const std::string &dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int err = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return err;
}

int FillWithZeros(int fd, const CreateOptions &options) {
  // Also finds out early, and without writing, that the disk is full.
  const int err = posix_fallocate(fd, 0, static_cast<off_t>(options.bytes));
  if (err == ENOSPC || err == EDQUOT || err == EFBIG || err == EIO) return err;
  void *zeros = mmap(nullptr, kZeroChunk, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (zeros == MAP_FAILED) return errno;
  int result = 0;
  for (uint64_t at = 0; at < options.bytes && result == 0; at += kZeroChunk) {
    const size_t len = options.bytes - at < kZeroChunk ? options.bytes - at : kZeroChunk;
    result = WriteAll(fd, static_cast<const uint8_t *>(zeros), len, at);
    if (result == 0 && options.pace && !options.pace()) result = ECANCELED;
  }
  munmap(zeros, kZeroChunk);
  return result;
}

}  // namespace

int CreateSegment(CreateOptions &options, SegmentFile *out, std::string *what) {
  struct statvfs fs;
  if (statvfs(options.dir.c_str(), &fs) != 0) {
    *what = "statvfs";
    return errno;
  }
  const uint64_t free_bytes = static_cast<uint64_t>(fs.f_bavail) * fs.f_frsize;
  if (free_bytes < options.min_free + options.bytes) {
    *what = "free space";
    return ENOSPC;
  }
  char name[32];
  snprintf(name, sizeof name, "/%012llu.swal", static_cast<unsigned long long>(options.number));
  const std::string path = options.dir + name;
  int fd = -1;
  int err = 0;
  for (;;) {
    const int direct = options.direct ? O_DIRECT : 0;
    fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | direct, 0600);
    if (fd >= 0) {
      err = FillWithZeros(fd, options);
      if (err == 0) break;
      close(fd);
      unlink(path.c_str());
    } else {
      err = errno;
      if (err == EINVAL) unlink(path.c_str());
    }
    if (err != EINVAL || !options.direct) {
      *what = "zero fill";
      return err;
    }
    options.direct = false;
  }
  *what = "fsync";
  err = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (err == 0) err = SyncDirectory(options.dir);
  if (err == 0) {
    fd = open(path.c_str(), O_WRONLY | O_CLOEXEC | (options.direct ? O_DIRECT | O_DSYNC : 0));
    if (fd < 0) err = errno;
  }
  if (err != 0) {
    unlink(path.c_str());
    return err;
  }
  out->fd = fd;
  out->direct = options.direct;
  out->number = options.number;
  out->path = path;
  return 0;
}

int WriteDurable(const SegmentFile &file, const uint8_t *data, size_t len, uint64_t offset) {
  const int err = WriteAll(file.fd, data, len, offset);
  if (err != 0 || file.direct) return err;
  return fdatasync(file.fd) == 0 ? 0 : errno;
}

void SealAndClose(SegmentFile *file, uint64_t used) {
  // Only gives back zeros: not a problem if it fails or is lost.
  if (ftruncate(file->fd, static_cast<off_t>(used)) != 0) errno = 0;
  CloseFile(file);
}

void CloseFile(SegmentFile *file) {
  if (file->fd >= 0) close(file->fd);
  file->fd = -1;
}

void RemoveFile(SegmentFile *file) {
  if (file->fd < 0) return;
  CloseFile(file);
  unlink(file->path.c_str());
}

}  // namespace swal
