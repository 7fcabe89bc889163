/* Rare calls: debugging, memory for code, identity, mounts, signals, modules. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "workload.h"

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

const struct command RARE_COMMANDS[] = {
    {"ptrace", 0, run_ptrace},
    {"vmwrite", 0, run_vmwrite},
    {"wx", 0, run_wx},
    {"setuid", 1, run_setuid},
    {"mounts", 1, run_mounts},
    {"kill", 0, run_kill},
    {"module", 0, run_module},
    {NULL, 0, NULL},
};
