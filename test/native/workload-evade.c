/* Ways past the usual calls: the 32-bit entry, sockets without IP, code written before it runs, attempts that fail,
 * changed roots, exchanged names, birth in another control group. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include "workload.h"

/* A call through the 32-bit entry. Pointers must lie below 4 GiB, as static data of a static program does. */
static int call32(int number, const void *a, uintptr_t b, uintptr_t c)
{
  int result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(number), "b"(a), "c"(b), "d"(c), "S"(0), "D"(0)
               : "memory", "r8", "r9", "r10", "r11");
  return result;
}

/* compat DIR: what a 32-bit program does with files, and some calls that need rights. */
static void run_compat(int argc, char **argv)
{
  static char a[512], b[512];
  int fd;
  name_of(a, argv[0], "compat", 1);
  name_of(b, argv[0], "compat", 2);
  fd = call32(5, a, O_CREAT | O_WRONLY, 0644);
  if (fd == -ENOSYS) /* a kernel without the 32-bit entry */
    exit(4);
  check(fd >= 0, "open");
  close(fd);
  check(call32(38, a, (uintptr_t)b, 0) == 0, "rename");
  check(call32(15, b, 04755, 0) == 0, "chmod");
  check(call32(10, b, 0, 0) == 0, "unlink");
  check(call32(39, a, 0755, 0) == 0, "mkdir");
  check(call32(40, a, 0, 0) == 0, "rmdir");
  call32(61, "/nonexistent", 0, 0);
  check(call32(213, 0, 0, 0) == 0, "setuid");
}

static int unix_socket(struct sockaddr_un *address, socklen_t *length, const char *path)
{
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path + (path[0] == '@'), path + (path[0] == '@'));
  *length = offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@');
  return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int try_unix(const char *path)
{
  struct sockaddr_un address;
  socklen_t length;
  int fd = unix_socket(&address, &length, path), result = connect(fd, (void *)&address, length);
  close(fd);
  return result;
}

/* unix DIR: an engine's socket through a link, an abstract name, a name nobody made, and an engine that is not there. */
static void run_unix(int argc, char **argv)
{
  struct sockaddr_un address;
  socklen_t length;
  char path[256];
  int server, abstract;
  snprintf(path, sizeof(path), "%s/docker.sock", argv[0]);
  server = unix_socket(&address, &length, path);
  check(bind(server, (void *)&address, length) == 0 && listen(server, 5) == 0, "bind");
  check(chdir(argv[0]) == 0 && symlink("docker.sock", "innocent") == 0, "symlink");
  check(try_unix("innocent") == 0, "connect");
  abstract = unix_socket(&address, &length, "@sentinel-abstract");
  check(bind(abstract, (void *)&address, length) == 0 && listen(abstract, 5) == 0, "bind");
  check(try_unix("@sentinel-abstract") == 0, "connect");
  check(try_unix("./nobody") < 0 && errno == ENOENT, "connect to nobody");
  close(server);
  check(try_unix("docker.sock") < 0 && errno == ECONNREFUSED, "connect to an engine that ended");
  unlink("docker.sock");
  unlink("innocent");
}

/* sockets: the kinds that are worth a record, and two that are not. */
static void run_sockets(int argc, char **argv)
{
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_port = 4242, .svm_cid = 77};
  int fd;
  close(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
  close(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  close(socket(AF_INET, SOCK_DGRAM, 0));
  close(socket(AF_UNIX, SOCK_STREAM, 0));
  fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(fd, (void *)&address, sizeof(address));
  close(fd);
}

/* flips N: memory written, then made executable, N times; a file in memory, mapped to be written and to run. */
static void run_flips(int argc, char **argv)
{
  int n = atoi(argv[0]), fd;
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(page != MAP_FAILED, "mmap");
  for (int i = 0; i < n; i++) {
    check(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0, "mprotect");
    page[0] = (char)0xc3;
    check(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0, "mprotect");
  }
  fd = memfd_create("dual", 0);
  check(fd >= 0 && ftruncate(fd, 4096) == 0, "memfd");
  check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED, "writable view");
  check(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) != MAP_FAILED, "executable view");
}

/* attempts: what needs more than it has, or what makes no sense. */
static void run_attempts(int argc, char **argv)
{
  char nonsense[128] = {5};
  int fd = open("/dev/null", O_RDONLY);
  check(syscall(SYS_bpf, 5, nonsense, sizeof(nonsense)) < 0, "bpf");
  check(syscall(SYS_finit_module, fd, "", 0) < 0, "finit_module");
  check(syscall(SYS_init_module, nonsense, sizeof(nonsense), "") < 0, "init_module");
  check(ptrace(PTRACE_ATTACH, 0x3ffffff, 0, 0) < 0, "ptrace");
  check(chroot("/nonexistent") < 0, "chroot");
}

/* jail DIR: names in a changed root, absolute, relative and dotted. */
static void run_jail(int argc, char **argv)
{
  check(chroot(argv[0]) == 0 && chdir("/") == 0, "chroot");
  check(mkdir("/sub", 0755) == 0 && chdir("/sub") == 0, "mkdir");
  close(open("/made", O_CREAT | O_WRONLY, 0644));
  check(rename("/made", "renamed") == 0, "rename");
  check(chmod("/../../sub/renamed", 0600) == 0, "chmod");
  check(unlink("renamed") == 0 && chdir("/") == 0 && rmdir("/sub") == 0, "unlink");
}

/* exchange DIR: two files take each other's name. */
static void run_exchange(int argc, char **argv)
{
  check(chdir(argv[0]) == 0, "chdir");
  close(open("left", O_CREAT | O_WRONLY, 0644));
  close(open("right", O_CREAT | O_WRONLY, 0644));
  check(syscall(SYS_renameat2, AT_FDCWD, "left", AT_FDCWD, "right", 2) == 0, "renameat2");
  unlink("left");
  unlink("right");
}

/* clonein CGROUP PROGRAM: a child that is born there; prints its process id and its parent's. */
static void run_clone_in(int argc, char **argv)
{
  struct {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } args = {.flags = 0x200000000ull /* CLONE_INTO_CGROUP */, .exit_signal = SIGCHLD};
  pid_t child;
  args.cgroup = open(argv[0], O_RDONLY | O_DIRECTORY);
  child = syscall(SYS_clone3, &args, sizeof(args));
  check(child >= 0, "clone3");
  if (child == 0) {
    execl(argv[1], argv[1], "born-inside", NULL);
    _exit(127);
  }
  printf("%d %d\n", child, getpid());
  reap(child);
}

static char flipped_path[512];
static size_t flipped_at;

static void *flip_name(void *unused)
{
  for (;;)
    *(volatile char *)(flipped_path + flipped_at) ^= 'a' ^ 'b';
  return unused;
}

/* racepath DIR N: makes DIR/a and DIR/b and N times removes (and remakes) one of them, by a name that another thread keeps changing
 * from one to the other during the call; then says which is gone by making and removing DIR/was-a or DIR/was-b. */
static void run_race_path(int argc, char **argv)
{
  pthread_t thread;
  char names[2][512], gone[2][512];
  snprintf(flipped_path, sizeof(flipped_path), "%s/a", argv[0]);
  flipped_at = strlen(flipped_path) - 1;
  for (int i = 0; i < 2; i++) {
    snprintf(names[i], sizeof(names[i]), "%s/%c", argv[0], "ab"[i]);
    snprintf(gone[i], sizeof(gone[i]), "%s/was-%c", argv[0], "ab"[i]);
  }
  for (int i = 0; i < 2; i++)
    close(open(names[i], O_CREAT | O_WRONLY, 0600));
  check(pthread_create(&thread, NULL, flip_name, NULL) == 0, "pthread_create");
  for (int i = 0, removed; i < atoi(argv[1]); i++) {
    check(unlink(flipped_path) == 0, "unlink");
    removed = access(names[0], F_OK) == 0;
    check(mkdir(gone[removed], 0700) == 0 && rmdir(gone[removed]) == 0, "was");
    close(open(names[removed], O_CREAT | O_WRONLY, 0600));
  }
}

/* linked DIR: makes DIR/alias, a link to DIR/home, and changes names in it through the link. */
static void run_linked(int argc, char **argv)
{
  static const struct timespec times[2] = {{5, 0}, {5, 0}};
  check(chdir(argv[0]) == 0 && mkdir("home", 0755) == 0 && symlink("home", "alias") == 0, "alias");
  close(open("alias/a", O_CREAT | O_WRONLY, 0644));
  check(rename("alias/a", "alias/b") == 0, "rename");
  check(link("alias/b", "alias/c") == 0, "link");
  check(symlink("x", "alias/d") == 0, "symlink");
  check(chmod("alias/b", 0600) == 0, "chmod");
  check(chown("alias/b", 1, 1) == 0, "chown");
  check(truncate("alias/b", 3) == 0, "truncate");
  check(utimensat(AT_FDCWD, "alias/b", times, 0) == 0, "utimensat");
  check(mkdir("alias/e", 0755) == 0, "mkdir");
  check(mknod("alias/f", S_IFIFO | 0600, 0) == 0, "mknod");
  check(rmdir("alias/e") == 0, "rmdir");
  check(unlink("alias/b") == 0 && unlink("alias/c") == 0 && unlink("alias/d") == 0 && unlink("alias/f") == 0, "unlink");
}

const struct command EVADE_COMMANDS[] = {
    {"compat", 1, run_compat},
    {"unix", 1, run_unix},
    {"sockets", 0, run_sockets},
    {"flips", 1, run_flips},
    {"attempts", 0, run_attempts},
    {"jail", 1, run_jail},
    {"exchange", 1, run_exchange},
    {"racepath", 2, run_race_path},
    {"linked", 1, run_linked},
    {"clonein", 2, run_clone_in},
    {NULL, 0, NULL},
};
