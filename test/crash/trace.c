/* LD_PRELOAD: writes down, in order, every call that changes files under $TRACE_DIR, and acknowledgements on fd 1, to
 * $TRACE_FILE. With $FAIL_SYNC=N the N-th fdatasync, with $FAIL_WRITE=N the N-th durable pwrite reports EIO, or
 * $FAIL_ERRNO; with $SHORT_WRITE=N the N-th durable pwrite of two pages or more writes one page.
 * Event: u8 kind, u8 flags (1 O_DSYNC, 2 zeros, 4 failed, 8 nothing of it was written), u16 0, u32 file, u64 offset, u32 length, u32 0, then bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { CREATE = 1, WRITE_START, WRITE_END, SYNC, SYNC_DIR, TRUNCATE, UNLINK, ACK };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static struct { char path[256]; int dsync; } files[4096];
static int of_fd[4096];
static int known, syncs, writes, long_writes;

static int real_open(const char *path, int flags, mode_t mode) {
  static int (*call)(const char *, int, ...);
  if (!call) *(void **)&call = dlsym(RTLD_NEXT, "open");
  return call(path, flags, mode);
}
static ssize_t real_write(int fd, const void *p, size_t n) {
  static ssize_t (*call)(int, const void *, size_t);
  if (!call) *(void **)&call = dlsym(RTLD_NEXT, "write");
  return call(fd, p, n);
}
static void emit(int kind, int flags, int file, uint64_t offset, const void *bytes, uint32_t len) {
  unsigned char head[24] = {(unsigned char)kind, (unsigned char)flags};
  uint32_t f = (uint32_t)file;
  pthread_mutex_lock(&lock);
  if (out < 0) out = real_open(getenv("TRACE_FILE"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  memcpy(head + 4, &f, 4);
  memcpy(head + 8, &offset, 8);
  memcpy(head + 16, &len, 4);
  real_write(out, head, sizeof head);
  if (bytes && !(flags & 2)) real_write(out, bytes, len);
  pthread_mutex_unlock(&lock);
}
static int file_of(const char *path) {
  pthread_mutex_lock(&lock);
  int at = 1;
  while (at <= known && strcmp(files[at].path, path)) at++;
  if (at > known) { known = at; strncpy(files[at].path, path, 255); }
  pthread_mutex_unlock(&lock);
  return at;
}
int open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const mode_t mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
  va_end(args);
  const int fd = real_open(path, flags, mode);
  const char *dir = getenv("TRACE_DIR");
  if (fd < 0 || fd >= 4096 || !dir || strncmp(path, dir, strlen(dir))) return fd;
  of_fd[fd] = (flags & O_DIRECTORY) ? -1 : file_of(path);
  if (of_fd[fd] > 0) files[of_fd[fd]].dsync = (flags & O_DSYNC) != 0;
  if (flags & O_CREAT) emit(CREATE, 0, of_fd[fd], 0, path, (uint32_t)strlen(path));
  return fd;
}
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
static int zeros(const char *p, size_t n) { return n == 0 || (p[0] == 0 && !memcmp(p, p + 1, n - 1)); }
ssize_t pwrite(int fd, const void *p, size_t n, off_t at) {
  static ssize_t (*call)(int, const void *, size_t, off_t);
  if (!call) *(void **)&call = dlsym(RTLD_NEXT, "pwrite");
  if (fd >= 4096 || of_fd[fd] <= 0) return call(fd, p, n, at);
  const int flags = (files[of_fd[fd]].dsync ? 1 : 0) | (zeros(p, n) ? 2 : 0);
  const char *fail = getenv("FAIL_WRITE"), *cut = getenv("SHORT_WRITE");
  if ((flags & 1) && cut && n >= 8192 && ++long_writes == atoi(cut)) n = 4096;
  emit(WRITE_START, flags, of_fd[fd], (uint64_t)at, p, (uint32_t)n);
  if ((flags & 1) && fail && ++writes == atoi(fail)) {
    const int error = getenv("FAIL_ERRNO") ? atoi(getenv("FAIL_ERRNO")) : EIO;
    emit(WRITE_END, flags | 4 | 2 | (error == ENOSPC ? 8 : 0), of_fd[fd], (uint64_t)at, 0, (uint32_t)n);
    errno = error;
    return -1;
  }
  const ssize_t got = call(fd, p, n, at);
  emit(WRITE_END, flags | 2 | (got < 0 ? 4 : 0), of_fd[fd], (uint64_t)at, 0, (uint32_t)n);
  return got;
}
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at) __attribute__((alias("pwrite")));
static int sync_call(const char *name, int fd) {
  int (*call)(int);
  *(void **)&call = dlsym(RTLD_NEXT, name);
  if (fd >= 4096 || of_fd[fd] == 0) return call(fd);
  const char *fail = getenv("FAIL_SYNC");
  if (of_fd[fd] > 0 && name[1] == 'd' && fail && ++syncs == atoi(fail)) {
    emit(SYNC, 4, of_fd[fd], 0, 0, 0);
    errno = EIO;
    return -1;
  }
  const int got = call(fd);
  emit(of_fd[fd] > 0 ? SYNC : SYNC_DIR, got ? 4 : 0, of_fd[fd], 0, 0, 0);
  return got;
}
int fsync(int fd) { return sync_call("fsync", fd); }
int fdatasync(int fd) { return sync_call("fdatasync", fd); }
int ftruncate(int fd, off_t len) {
  int (*call)(int, off_t);
  *(void **)&call = dlsym(RTLD_NEXT, "ftruncate");
  const int got = call(fd, len);
  if (fd < 4096 && of_fd[fd] > 0 && got == 0) emit(TRUNCATE, 0, of_fd[fd], (uint64_t)len, 0, 0);
  return got;
}
int ftruncate64(int fd, off_t len) __attribute__((alias("ftruncate")));
int unlink(const char *path) {
  int (*call)(const char *);
  *(void **)&call = dlsym(RTLD_NEXT, "unlink");
  const int got = call(path);
  const char *dir = getenv("TRACE_DIR");
  if (got == 0 && dir && !strncmp(path, dir, strlen(dir))) emit(UNLINK, 0, file_of(path), 0, 0, 0);
  return got;
}
int close(int fd) {
  int (*call)(int);
  *(void **)&call = dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < 4096) of_fd[fd] = 0;
  return call(fd);
}
ssize_t write(int fd, const void *p, size_t n) {
  if (fd == 1 && n == 8) emit(ACK, 0, 0, *(const uint64_t *)p, 0, 0);
  return real_write(fd, p, n);
}
