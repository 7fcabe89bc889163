/* Processes: started, threaded, replaced, orphaned, and programs that hide where they are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "workload.h"

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

const struct command PROCESS_COMMANDS[] = {
    {"fork", 1, run_fork},
    {"exec", 2, run_exec},
    {"threads", 1, run_threads},
    {"threadexits", 1, run_thread_exits},
    {"execfor", 2, run_exec_for},
    {"timed", 1, run_timed},
    {"memfd", 1, run_memfd},
    {"deleted", 2, run_deleted},
    {"badargs", 1, run_badargs},
    {"noargs", 1, run_noargs},
    {"hugeargs", 2, run_hugeargs},
    {"bomb", 1, run_bomb},
    {"cloneparent", 0, run_cloneparent},
    {"sleep", 1, run_sleep},
    {"reuse", 2, run_reuse},
    {NULL, 0, NULL},
};
