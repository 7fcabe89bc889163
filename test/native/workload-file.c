/* Files: names, attributes, contents, closes, and the pace at which they come. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "workload.h"

/* files DIR N: N times create+write+close, rename, link, symlink, chmod, truncate, and remove it all. */
static void run_files(int argc, char **argv)
{
  const char *dir = argv[0];
  int n = atoi(argv[1]);
  char a[512], b[512], c[512];
  for (int i = 0; i < n; i++) {
    int fd;
    name_of(a, dir, "a", i);
    name_of(b, dir, "b", i);
    name_of(c, dir, "c", i);
    fd = open(a, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    check(fd >= 0, "open");
    check(write(fd, "hello", 5) == 5, "write");
    close(fd);
    check(rename(a, b) == 0, "rename");
    check(link(b, c) == 0, "link");
    check(unlink(c) == 0, "unlink");
    check(symlink("some target", c) == 0, "symlink");
    check(unlink(c) == 0, "unlink");
    check(chmod(b, 0600) == 0, "chmod");
    check(chown(b, 12, 34) == 0, "chown");
    check(truncate(b, 3) == 0, "truncate");
    check(unlink(b) == 0, "unlink");
    check(mkdir(a, 0755) == 0, "mkdir");
    check(rmdir(a) == 0, "rmdir");
  }
}

/* storm DIR N: create, write BYTES (default 1), close, unlink: the shortest life of a file. */
static void run_storm(int argc, char **argv)
{
  static char bytes[1 << 16];
  char path[512];
  int n = atoi(argv[1]), length = argc > 2 ? atoi(argv[2]) : 1;
  name_of(path, argv[0], "s", getpid());
  for (int i = 0; i < n; i++) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    check(fd >= 0, "open");
    if (write(fd, bytes, length) != length)
      die("write");
    close(fd);
    unlink(path);
  }
}

/* stormfor DIR MS: the same with one byte for a time; prints how many. */
static void run_storm_for(int argc, char **argv)
{
  char path[512];
  int64_t end = now_ms() + atoi(argv[1]);
  long n = 0;
  name_of(path, argv[0], "s", getpid());
  for (; n % 64 || now_ms() < end; n++) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    check(fd >= 0, "open");
    if (write(fd, "x", 1) != 1)
      die("write");
    close(fd);
    unlink(path);
  }
  printf("%ld\n", n);
}

/* pace DIR RATE MS: file lives of three records each, RATE records a second, evenly. */
static void run_pace(int argc, char **argv)
{
  char path[512];
  int rate = atoi(argv[1]), i = 0;
  int64_t end = now_ms() + atoi(argv[2]);
  struct timespec next;
  name_of(path, argv[0], "p", getpid());
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (; now_ms() < end; i++) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    close(fd);
    unlink(path);
    next.tv_nsec += 3000000000ll / rate;
    while (next.tv_nsec >= 1000000000) {
      next.tv_nsec -= 1000000000;
      next.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
  printf("%d\n", i);
}

/* paceexec RATE MS PROGRAM: RATE executions a second, evenly. */
static void run_pace_exec(int argc, char **argv)
{
  int rate = atoi(argv[0]), i = 0;
  int64_t end = now_ms() + atoi(argv[1]);
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (; now_ms() < end; i++) {
    pid_t child = vfork();
    if (child == 0) {
      execv(argv[2], argv + 2);
      _exit(127);
    }
    reap(child);
    next.tv_nsec += 1000000000ll / rate;
    while (next.tv_nsec >= 1000000000) {
      next.tv_nsec -= 1000000000;
      next.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
  printf("%d\n", i);
}

/* at DIR: the same calls by descriptor and relative to the working directory. */
static void run_at(int argc, char **argv)
{
  int dir = open(argv[0], O_RDONLY | O_DIRECTORY), fd;
  struct timespec times[2] = {{1, 0}, {1000000000, 5}};
  check(dir >= 0 && chdir(argv[0]) == 0, "chdir");
  fd = openat(dir, "one", O_CREAT | O_RDWR, 0644);
  check(fd >= 0, "openat");
  check(fchmod(fd, 0640) == 0, "fchmod");
  check(fchown(fd, 1, 2) == 0, "fchown");
  check(ftruncate(fd, 99) == 0, "ftruncate");
  check(fsetxattr(fd, "user.sentinel", "x", 1, 0) == 0 || errno == ENOTSUP || errno == EOPNOTSUPP, "fsetxattr");
  check(futimens(fd, times) == 0, "futimens");
  close(fd);
  check(renameat(dir, "one", AT_FDCWD, "./sub/../two") == -1, "renameat must fail");
  check(mkdirat(dir, "sub", 0700) == 0, "mkdirat");
  check(renameat(dir, "one", AT_FDCWD, "./sub/../two") == 0, "renameat");
  check(linkat(AT_FDCWD, "two", dir, "sub/three", 0) == 0, "linkat");
  check(symlinkat("nowhere", dir, "sub/four") == 0, "symlinkat");
  check(unlinkat(dir, "sub/four", 0) == 0, "unlinkat");
  check(unlinkat(dir, "sub/three", 0) == 0, "unlinkat");
  check(unlinkat(dir, "sub", AT_REMOVEDIR) == 0, "unlinkat");
  check(utimensat(AT_FDCWD, "two", NULL, 0) == 0, "utimensat");
  check(mknod("five", S_IFIFO | 0600, 0) == 0, "mknod");
  check(unlink("five") == 0 && unlink("two") == 0, "unlink");
}

/* closes DIR: six ways to close a written file. */
static void run_closes(int argc, char **argv)
{
  char path[512];
  for (int way = 0; way < 6; way++) {
    name_of(path, argv[0], "close", way);
    pid_t child = fork();
    if (child == 0) {
      int fd = open(path, O_CREAT | O_WRONLY, 0644), other;
      check(fd >= 0, "open");
      switch (way) {
      case 0:
        close(fd);
        break;
      case 1: /* not the last reference at first */
        other = dup(fd);
        close(fd);
        close(other);
        break;
      case 2:
        other = open("/dev/null", O_RDONLY);
        dup2(other, fd);
        break;
      case 3:
        syscall(SYS_close_range, 3, ~0u, 0);
        break;
      case 4: /* left to the end of the process */
        break;
      case 5: /* killed with the file open */
        kill(getpid(), SIGKILL);
      }
      _exit(0);
    }
    reap(child);
    unlink(path);
  }
}

/* newline DIR: a file with a newline and an invalid byte in its name. */
static void run_newline(int argc, char **argv)
{
  char path[512];
  sprintf(path, "%s/a\nb\xff", argv[0]);
  int fd = open(path, O_CREAT | O_WRONLY, 0644);
  check(fd >= 0, "open");
  close(fd);
  unlink(path);
}

/* deep DIR N: makes N nested directories of 50 characters, step by step, and a file in the last. */
static void run_deep(int argc, char **argv)
{
  int n = atoi(argv[1]);
  char name[64];
  memset(name, 'd', 50);
  name[50] = 0;
  check(chdir(argv[0]) == 0, "chdir");
  for (int i = 0; i < n; i++) {
    check(mkdir(name, 0755) == 0 && chdir(name) == 0, "mkdir");
  }
  int fd = open("leaf", O_CREAT | O_WRONLY, 0644);
  check(fd >= 0, "open");
  close(fd);
  unlink("leaf");
  for (int i = 0; i < n; i++)
    check(chdir("..") == 0 && rmdir(name) == 0, "rmdir");
}

/* uring PATH: creates a file through io_uring, without liburing. Exit 4 when io_uring is not to be had. */
static void run_uring(int argc, char **argv)
{
  struct io_uring_params p = {0};
  int ring = syscall(SYS_io_uring_setup, 4, &p);
  if (ring < 0)
    exit(4);
  size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
  struct io_uring_sqe *sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
  check(sq != MAP_FAILED && (void *)sqes != MAP_FAILED, "mmap ring");
  memset(&sqes[0], 0, sizeof(sqes[0]));
  sqes[0].opcode = IORING_OP_OPENAT;
  sqes[0].fd = AT_FDCWD;
  sqes[0].addr = (uintptr_t)argv[0];
  sqes[0].open_flags = O_CREAT | O_WRONLY;
  sqes[0].len = 0644;
  unsigned *tail = (unsigned *)(sq + p.sq_off.tail), *array = (unsigned *)(sq + p.sq_off.array);
  array[0] = 0;
  __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
  check(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1, "io_uring_enter");
  unlink(argv[0]);
}

/* secret FILE: opens a file read-only. */
static void run_read(int argc, char **argv)
{
  for (int i = 0; i < argc; i++) {
    int fd = open(argv[i], O_RDONLY);
    if (fd >= 0)
      close(fd);
  }
}

const struct command FILE_COMMANDS[] = {
    {"files", 2, run_files},
    {"storm", 2, run_storm},
    {"at", 1, run_at},
    {"closes", 1, run_closes},
    {"stormfor", 2, run_storm_for},
    {"pace", 3, run_pace},
    {"paceexec", 3, run_pace_exec},
    {"newline", 1, run_newline},
    {"deep", 2, run_deep},
    {"uring", 1, run_uring},
    {"read", 1, run_read},
    {NULL, 0, NULL},
};
