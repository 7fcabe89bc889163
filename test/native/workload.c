/* Does one thing at a time, a known number of times, so that tests can say what the sensor must have seen. Static, so
 * that it also runs as the only program of a tiny guest. Every subcommand is a row of COMMANDS at the end. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
  fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
  exit(3);
}

static void check(int ok, const char *what)
{
  if (!ok)
    die(what);
}

static void reap(pid_t child)
{
  int status;
  check(waitpid(child, &status, 0) == child, "waitpid");
}

/* fork N: children that leave at once, with exit code i % 200. */
static void run_fork(int argc, char **argv)
{
  int n = atoi(argv[0]);
  for (int i = 0; i < n; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(i % 200);
    reap(child);
  }
}

/* vforkexec N PROGRAM ARG…: as fast as a process can start others. */
static void run_exec(int argc, char **argv)
{
  int n = atoi(argv[0]);
  for (int i = 0; i < n; i++) {
    pid_t child = vfork();
    if (child == 0) {
      execv(argv[1], argv + 1);
      _exit(127);
    }
    reap(child);
  }
}

static int64_t now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* execfor MS PROGRAM: as many as it can in that time; prints how many. */
static void run_exec_for(int argc, char **argv)
{
  int64_t end = now_ms() + atoi(argv[0]);
  long n = 0;
  for (; now_ms() < end; n++) {
    pid_t child = vfork();
    if (child == 0) {
      execv(argv[1], argv + 1);
      _exit(127);
    }
    reap(child);
  }
  printf("%ld\n", n);
}

/* timed COMMAND ARGUMENT...: runs a program and prints wall time and its CPU time with that of its children. */
static void run_timed(int argc, char **argv)
{
  struct timespec a, b;
  struct rusage use;
  int status;
  pid_t child;
  clock_gettime(CLOCK_MONOTONIC, &a);
  child = fork();
  if (child == 0) {
    execv(argv[0], argv);
    _exit(127);
  }
  check(waitpid(child, &status, 0) == child && status == 0, "timed");
  clock_gettime(CLOCK_MONOTONIC, &b);
  getrusage(RUSAGE_CHILDREN, &use);
  printf("{\"wallUs\":%lld,\"cpuUs\":%lld}\n",
         (long long)(b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000,
         (long long)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000 + use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void *thread_body(void *arg)
{
  return arg;
}

static void run_threads(int argc, char **argv)
{
  int n = atoi(argv[0]);
  for (int i = 0; i < n; i++) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, thread_body, NULL) == 0, "pthread_create");
    pthread_join(thread, NULL);
  }
}

/* Threads that all leave together, while the leader already did. */
static void *thread_exit_body(void *barrier)
{
  pthread_barrier_wait(barrier);
  return NULL;
}
static void run_thread_exits(int argc, char **argv)
{
  int n = atoi(argv[0]);
  for (int i = 0; i < n; i++) {
    pid_t child = fork();
    if (child == 0) {
      static pthread_barrier_t barrier;
      pthread_barrier_init(&barrier, NULL, 5);
      for (int t = 0; t < 4; t++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, thread_exit_body, &barrier) == 0, "pthread_create");
      }
      pthread_barrier_wait(&barrier);
      pthread_exit(NULL);
    }
    reap(child);
  }
}

static void name_of(char *out, const char *directory, const char *prefix, int i)
{
  sprintf(out, "%s/%s%d", directory, prefix, i);
}

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

static int listener(int family, struct sockaddr_storage *address, socklen_t *length)
{
  int fd = socket(family, SOCK_STREAM, 0);
  memset(address, 0, sizeof(*address));
  if (family == AF_INET) {
    struct sockaddr_in *a = (void *)address;
    a->sin_family = AF_INET;
    a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *length = sizeof(*a);
  } else {
    struct sockaddr_in6 *a = (void *)address;
    a->sin6_family = AF_INET6;
    a->sin6_addr = in6addr_loopback;
    *length = sizeof(*a);
  }
  check(fd >= 0 && bind(fd, (void *)address, *length) == 0 && listen(fd, 64) == 0, "listen");
  getsockname(fd, (void *)address, length);
  return fd;
}

/* tcp 4|6 N: N connections over loopback, 1000 bytes one way and 10 back; prints "PORT CLIENTPORT". */
static void run_tcp(int argc, char **argv)
{
  struct sockaddr_storage address, own;
  socklen_t length, own_length;
  int n = atoi(argv[1]), server = listener(argv[0][0] == '6' ? AF_INET6 : AF_INET, &address, &length);
  for (int i = 0; i < n; i++) {
    char bytes[1000] = {0};
    int client = socket(address.ss_family, SOCK_STREAM, 0), peer;
    check(connect(client, (void *)&address, length) == 0, "connect");
    peer = accept(server, NULL, NULL);
    check(peer >= 0, "accept");
    check(write(client, bytes, 1000) == 1000, "write");
    for (int got = 0; got < 1000;) {
      ssize_t r = read(peer, bytes, sizeof(bytes));
      check(r > 0, "read");
      got += r;
    }
    check(write(peer, bytes, 10) == 10, "write");
    check(read(client, bytes, 10) == 10, "read");
    if (i == 0) {
      own_length = sizeof(own);
      getsockname(client, (void *)&own, &own_length);
      printf("%d %d\n", ntohs(((struct sockaddr_in *)&address)->sin_port), ntohs(((struct sockaddr_in *)&own)->sin_port));
      fflush(stdout);
    }
    /* The client closes first and waits for the other side, so that both ends see both FINs. */
    shutdown(client, SHUT_WR);
    check(read(peer, bytes, 1) == 0, "eof");
    close(peer);
    check(read(client, bytes, 1) == 0, "eof");
    close(client);
  }
}

/* One connection to `server` and its acceptance, both ends in this process, with `bytes` each way; ended by a reset, so
 * that no port stays in TIME_WAIT. */
static void connect_once(int server, struct sockaddr_storage *address, socklen_t length, int bytes)
{
  static char buffer[1 << 16];
  struct linger hard = {1, 0};
  int fd = socket(AF_INET, SOCK_STREAM, 0), peer;
  check(fd >= 0, "socket");
  check(connect(fd, (void *)address, length) == 0, "connect");
  peer = accept(server, NULL, NULL);
  check(peer >= 0, "accept");
  if (bytes) {
    check(write(fd, buffer, bytes) == bytes && read(peer, buffer, bytes) > 0, "ask");
    check(write(peer, buffer, bytes) == bytes && read(fd, buffer, bytes) > 0, "answer");
  }
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close(fd);
  close(peer);
}

/* connects N BYTES */
static void run_connects(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;
  int n = atoi(argv[0]), server = listener(AF_INET, &address, &length);
  for (int i = 0; i < n; i++)
    connect_once(server, &address, length, argc > 1 ? atoi(argv[1]) : 0);
}

/* connectsfor MS: as many as it can in that time; prints how many. */
static void run_connects_for(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;
  int64_t end = now_ms() + atoi(argv[0]);
  int server = listener(AF_INET, &address, &length);
  long n = 0;
  for (; n % 64 || now_ms() < end; n++)
    connect_once(server, &address, length, 0);
  printf("%ld\n", n);
}

static void run_refused(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;
  int fd = listener(AF_INET, &address, &length);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  check(connect(fd, (void *)&address, length) < 0 && errno == ECONNREFUSED, "refused");
  close(fd);
}

/* udp N: N datagrams to one address without connecting, then one to another, then a connected socket. */
static void run_udp(int argc, char **argv)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5353)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0), n = atoi(argv[0]);
  a.sin_addr.s_addr = htonl(0x7f000009);
  for (int i = 0; i < n; i++)
    sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
  a.sin_port = htons(5454);
  sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  a.sin_port = htons(5555);
  check(connect(fd, (void *)&a, sizeof(a)) == 0, "connect");
}

static size_t question(uint8_t *out, const char *name, int type)
{
  static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  uint8_t *at = out + 12;
  memcpy(out, head, 12);
  while (*name) {
    size_t label = strcspn(name, ".");
    *at++ = label;
    memcpy(at, name, label);
    at += label;
    name += label + (name[label] == '.');
  }
  *at++ = 0;
  *at++ = type >> 8;
  *at++ = type;
  *at++ = 0;
  *at++ = 1;
  return at - out;
}

/* dns NAME TYPE: one question over IPv4, one over IPv6. */
static void run_dns(int argc, char **argv)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
  struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(53), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  uint8_t bytes[600];
  size_t length = question(bytes, argv[0], atoi(argv[1]));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sendto(socket(AF_INET, SOCK_DGRAM, 0), bytes, length, 0, (void *)&a, sizeof(a));
  sendto(socket(AF_INET6, SOCK_DGRAM, 0), bytes, length, 0, (void *)&b, sizeof(b));
}

/* memfd PROGRAM: copies a program into memory and executes it from there. */
static void run_memfd(int argc, char **argv)
{
  static char buffer[1 << 16];
  char *args[] = {"hidden", "sleep", "1", NULL}, *env[] = {NULL};
  int in = open(argv[0], O_RDONLY), out = memfd_create("payload", MFD_CLOEXEC);
  ssize_t n;
  check(in >= 0 && out >= 0, "memfd");
  while ((n = read(in, buffer, sizeof(buffer))) > 0)
    check(write(out, buffer, n) == n, "write");
  fexecve(out, args, env);
  die("fexecve");
}

/* deleted PROGRAM DIR: executes a program whose file is gone. */
static void run_deleted(int argc, char **argv)
{
  static char buffer[1 << 16];
  char path[512], self[64], *args[] = {"gone", "sleep", "1", NULL}, *env[] = {NULL};
  int in = open(argv[0], O_RDONLY), out;
  ssize_t n;
  name_of(path, argv[1], "gone", 1);
  out = open(path, O_CREAT | O_WRONLY, 0755);
  check(in >= 0 && out >= 0, "open");
  while ((n = read(in, buffer, sizeof(buffer))) > 0)
    check(write(out, buffer, n) == n, "write");
  close(out);
  in = open(path, O_RDONLY);
  unlink(path);
  sprintf(self, "/proc/self/fd/%d", in);
  execve(self, args, env);
  die("execve");
}

/* badargs PROGRAM: arguments that are no UTF-8, hold newlines, or are nothing at all. */
static void run_badargs(int argc, char **argv)
{
  char *args[] = {"a\nb", "\xff\xfe", "", "\xf0\x9f\x98\x80", "last", NULL};
  execv(argv[0], args);
  die("execv");
}

static void run_noargs(int argc, char **argv)
{
  char *none[] = {NULL};
  execve(argv[0], none, none);
  die("execve");
}

/* hugeargs PROGRAM N: a command line of N bytes in arguments of 100,000. */
static void run_hugeargs(int argc, char **argv)
{
  static char *args[64];
  int total = atoi(argv[1]), i = 0;
  args[i++] = "huge";
  while (total > 0 && i < 60) {
    int length = total > 100000 ? 100000 : total;
    args[i] = malloc(length);
    memset(args[i], 'a' + i % 26, length);
    args[i++][length - 1] = 0;
    total -= length;
  }
  execv(argv[0], args);
  die("execv");
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

/* ptrace: attaches to a child, then a child lets itself be traced. */
static void run_ptrace(int argc, char **argv)
{
  int status;
  pid_t child = fork();
  if (child == 0)
    for (;;)
      pause();
  check(ptrace(PTRACE_ATTACH, child, NULL, NULL) == 0, "attach");
  waitpid(child, &status, 0);
  ptrace(PTRACE_DETACH, child, NULL, NULL);
  kill(child, SIGKILL);
  reap(child);
  printf("%d\n", child);
  child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    _exit(0);
  }
  reap(child);
}

static void run_vmwrite(int argc, char **argv)
{
  static volatile char target[4];
  struct iovec local = {"abc", 3}, remote = {(void *)target, 3};
  pid_t child = fork();
  if (child == 0)
    for (;;)
      pause();
  check(process_vm_writev(child, &local, 1, &remote, 1, 0) == 3, "process_vm_writev");
  kill(child, SIGKILL);
  reap(child);
}

static void run_wx(int argc, char **argv)
{
  void *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *b;
  check(a != MAP_FAILED, "mmap");
  b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(mprotect(b, 4096, PROT_READ | PROT_EXEC) == 0, "mprotect");
  check(mprotect(b, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
}

/* setuid UID: gives root away; a call that changes nothing is not an event. */
static void run_setuid(int argc, char **argv)
{
  pid_t child = fork();
  if (child == 0) {
    check(setuid(0) == 0, "setuid 0");
    check(setresgid(77, 77, 77) == 0, "setresgid");
    check(setuid(atoi(argv[0])) == 0, "setuid");
    _exit(0);
  }
  reap(child);
}

static void run_mounts(int argc, char **argv)
{
  pid_t child = fork();
  if (child == 0) {
    check(unshare(CLONE_NEWNS) == 0, "unshare");
    check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL, "private");
    check(mount("sentinel-test", argv[0], "tmpfs", MS_NOSUID, NULL) == 0, "mount");
    check(umount2(argv[0], MNT_DETACH) == 0, "umount");
    _exit(0);
  }
  reap(child);
}

static void run_kill(int argc, char **argv)
{
  pid_t child = fork();
  if (child == 0)
    for (;;)
      pause();
  kill(child, 0);
  kill(child, SIGTERM);
  reap(child);
}

/* module: asks for a module that cannot be loaded. */
static void run_module(int argc, char **argv)
{
  int fd = open("/dev/null", O_RDONLY);
  syscall(SYS_finit_module, fd, "option=1", 0);
  syscall(SYS_delete_module, "sentinel_no_such_module", O_NONBLOCK);
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

/* bomb DEPTH: each process forks two, DEPTH times: 2^(DEPTH+1) - 2 children. */
static void bomb(int depth)
{
  pid_t children[2];
  if (depth == 0)
    return;
  for (int i = 0; i < 2; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      bomb(depth - 1);
      _exit(0);
    }
  }
  for (int i = 0; i < 2; i++)
    reap(children[i]);
}
static void run_bomb(int argc, char **argv)
{
  bomb(atoi(argv[0]));
}

/* orphan: a child under CLONE_PARENT, which is its creator's sibling. */
static void run_cloneparent(int argc, char **argv)
{
  pid_t child = fork();
  if (child == 0) {
    pid_t sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (sibling == 0)
      _exit(7);
    _exit(0);
  }
  reap(child);
  while (waitpid(-1, NULL, 0) > 0)
    ;
}

/* Starts EXE with one argument under the process id `pid`, which must be free; waits for its end. */
static void live_as(pid_t pid, const char *exe, const char *argument)
{
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } args = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
  pid_t child = syscall(SYS_clone3, &args, sizeof(args));
  check(child >= 0, "clone3 with a chosen process id");
  if (child == 0) {
    char *const argv[] = {(char *)exe, (char *)argument, NULL};
    execv(exe, argv);
    _exit(127);
  }
  check(child == pid, "the chosen process id");
  reap(child);
}

/* reuse EXE1 EXE2: two lives of one process id, the second as a grandchild. Prints it and the second one's parent. */
static void run_reuse(int argc, char **argv)
{
  pid_t pid = fork(), other;
  if (pid == 0)
    _exit(0);
  reap(pid);
  live_as(pid, argv[0], "first");
  other = fork();
  if (other == 0) {
    live_as(pid, argv[1], "second");
    _exit(0);
  }
  printf("%d %d\n", pid, other);
  reap(other);
}

static void run_sleep(int argc, char **argv)
{
  usleep(atoi(argv[0]) * 1000);
}

static const struct {
  const char *name;
  int args;
  void (*run)(int argc, char **argv);
} COMMANDS[] = {
    {"fork", 1, run_fork},         {"exec", 2, run_exec},
    {"threads", 1, run_threads},   {"threadexits", 1, run_thread_exits},
    {"files", 2, run_files},       {"storm", 2, run_storm},
    {"at", 1, run_at},             {"closes", 1, run_closes},
    {"tcp", 2, run_tcp},           {"connects", 1, run_connects},
    {"connectsfor", 1, run_connects_for}, {"refused", 0, run_refused},
    {"execfor", 2, run_exec_for}, {"stormfor", 2, run_storm_for}, {"timed", 1, run_timed}, {"pace", 3, run_pace}, {"paceexec", 3, run_pace_exec},
    {"udp", 1, run_udp},           {"dns", 2, run_dns},
    {"memfd", 1, run_memfd},       {"deleted", 2, run_deleted},
    {"badargs", 1, run_badargs},   {"noargs", 1, run_noargs},
    {"hugeargs", 2, run_hugeargs}, {"newline", 1, run_newline},
    {"deep", 2, run_deep},         {"ptrace", 0, run_ptrace},
    {"vmwrite", 0, run_vmwrite},   {"wx", 0, run_wx},
    {"setuid", 1, run_setuid},     {"mounts", 1, run_mounts},
    {"kill", 0, run_kill},         {"module", 0, run_module},
    {"uring", 1, run_uring},       {"read", 1, run_read},
    {"bomb", 1, run_bomb},         {"cloneparent", 0, run_cloneparent},
    {"sleep", 1, run_sleep},       {"reuse", 2, run_reuse},
};

int main(int argc, char **argv)
{
  for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
    if (strcmp(argv[1], COMMANDS[i].name) == 0) {
      if (argc - 2 < COMMANDS[i].args)
        break;
      COMMANDS[i].run(argc - 2, argv + 2);
      return 0;
    }
  }
  fprintf(stderr, "usage: workload COMMAND ARGUMENT...\n");
  return 2;
}
