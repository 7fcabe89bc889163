/* Loads the sensor's object on whatever kernel runs it, has a fixed workload done, and prints what was recorded. As
 * process 1 it is a whole guest: mounts what is needed, runs, powers off. Elsewhere: guest OBJECT WORKLOAD DIR.
 *
 * Output, one item per line: "hook NAME ATTACH STATE EVENTS LOST DETAIL", "snapshot COUNT BYTES", "ring NAME TRIED
 * LOST", "record BASE64" for each record in order of the rings, "attempt NAME OUTCOME" for programs that a policy denies
 * (ran, refused with EPERM, killed), "act BASE64" for what was recorded meanwhile, "error TEXT", "done". */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bpf-loader.h"

static FILE *out;
static const char *workload, *directory;

static void run(char *const *args)
{
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    execv(workload, args);
    _exit(126);
  }
  waitpid(child, NULL, 0);
}

#define RUN(...) run((char *[]){(char *)"workload", __VA_ARGS__, NULL})

static void script(void)
{
  char path[256];

  RUN("fork", "50");
  RUN("exec", "50", (char *)workload, "sleep", "0");
  RUN("threads", "20");
  RUN("threadexits", "10");
  RUN("files", (char *)directory, "20");
  RUN("at", (char *)directory);
  RUN("closes", (char *)directory);
  RUN("tcp", "4", "20");
  RUN("tcp", "6", "20");
  RUN("refused");
  RUN("udp", "5");
  RUN("dns", "www.example.com", "28");
  RUN("memfd", (char *)workload);
  RUN("deleted", (char *)workload, (char *)directory);
  RUN("badargs", (char *)workload);
  RUN("noargs", (char *)workload);
  RUN("hugeargs", (char *)workload, "1000000");
  RUN("newline", (char *)directory);
  RUN("deep", (char *)directory, "120");
  RUN("ptrace");
  RUN("vmwrite");
  RUN("wx");
  RUN("setuid", "1000");
  RUN("mounts", (char *)directory);
  RUN("kill");
  RUN("module");
  snprintf(path, sizeof(path), "%s/ring", directory);
  RUN("uring", path);
  snprintf(path, sizeof(path), "%s/shadow", directory);
  close(open(path, O_CREAT | O_WRONLY, 0600));
  RUN("read", path, "/proc/self/mem");
  unlink(path);
  RUN("compat", (char *)directory);
  RUN("unix", (char *)directory);
  RUN("sockets");
  RUN("flips", "300");
  RUN("attempts");
  RUN("exchange", (char *)directory);
  mkdir((snprintf(path, sizeof(path), "%s/root", directory), path), 0755);
  RUN("jail", path);
  rmdir(path);
  RUN("bomb", "6");
  RUN("cloneparent");
  RUN("linked", (char *)directory);
  RUN("racepath", (char *)directory, "60");
}

static const char *record_word = "record";

static int print_record(void *context, const void *record, uint32_t length)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8_t *bytes = record;

  fprintf(out, "%s ", record_word);
  for (uint32_t i = 0; i < length; i += 3) {
    uint32_t left = length - i;
    uint32_t word = bytes[i] << 16 | (left > 1 ? bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    fputc(digits[word >> 18], out);
    fputc(digits[word >> 12 & 63], out);
    fputc(left > 1 ? digits[word >> 6 & 63] : '=', out);
    fputc(left > 2 ? digits[word & 63] : '=', out);
  }
  fputc('\n', out);
  return 0;
}

/* ---- a policy ---- */

static const char *const PROGRAMS[] = {"denied", "closed", "script", "twin"};
#define PROGRAM_COUNT 4

static void copy_program(const char *path)
{
  char buffer[65536];
  int from = open(workload, O_RDONLY), to = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0755);
  ssize_t n;

  while ((n = read(from, buffer, sizeof(buffer))) > 0)
    if (write(to, buffer, (size_t)n) != n)
      break;
  close(from);
  close(to);
}

/* Runs the program of each index that comes in, and answers with what became of it. */
static void attempts(int in, int back)
{
  char index, outcome, path[300];
  int status;

  while (read(in, &index, 1) == 1) {
    snprintf(path, sizeof(path), "%s/%s", directory, PROGRAMS[(int)index]);
    char *const args[] = {(char *)"workload", (char *)"sleep", (char *)"0", NULL};
    pid_t child = fork();
    if (child == 0) {
      execv(path, args);
      _exit(errno == EPERM ? 77 : 78);
    }
    waitpid(child, &status, 0);
    outcome = WIFSIGNALED(status) && WTERMSIG(status) == 9 ? 'k' : !WIFEXITED(status) ? '?' : 'x';
    if (outcome == 'x')
      outcome = WEXITSTATUS(status) == 77 ? 'e' : WEXITSTATUS(status) == 0 ? 'r' : '?';
    if (write(back, &outcome, 1) != 1)
      break;
  }
}

static int deny(struct sn_loader *loader, const char *name, uint32_t handle, uint32_t flags)
{
  struct sn_policy_path key = {{0}};
  struct sn_verdict verdict = {.handle = handle, .flags = flags};
  char path[300];
  size_t used = 0;

  /* Names from the leaf up, each with its NUL. */
  snprintf(path, sizeof(path), "%s/%s", directory, name);
  for (char *slash; (slash = strrchr(path, '/')) && used + strlen(slash) < sizeof(key.text); *slash = 0) {
    strcpy(key.text + used, slash + 1);
    used += strlen(slash);
  }
  return bpf_map_update_elem(bpf_object__find_map_fd_by_name(loader->object, "pol_path"), &key, &verdict, BPF_ANY);
}

static void say_attempt(const char *when, int index, int go, int back)
{
  const char byte = (char)index;
  char outcome = '?';

  if (write(go, &byte, 1) != 1 || read(back, &outcome, 1) != 1)
    outcome = '?';
  fprintf(out, "attempt %s%s %s\n", when, PROGRAMS[index],
          outcome == 'r' ? "ran" : outcome == 'e' ? "refused" : outcome == 'k' ? "killed" : "failed");
}

/* Denies programs by path and has them tried: while the agent gives signs of life, and once it is silent. */
static void try_policy(struct sn_loader *loader, int go, int back)
{
  char path[300];
  struct timespec now;
  FILE *script;

  for (int i = 0; i < PROGRAM_COUNT; i++) {
    snprintf(path, sizeof(path), "%s/%s", directory, PROGRAMS[i]);
    if (i != 2) {
      copy_program(path);
      continue;
    }
    script = fopen(path, "w");
    if (!script)
      return;
    fprintf(script, "#!%s/twin sleep\n", directory);
    fclose(script);
    chmod(path, 0755);
  }
  for (int i = 0; i < PROGRAM_COUNT; i++)
    say_attempt("free ", i, go, back);
  if (deny(loader, "denied", 7, 0) || deny(loader, "closed", 8, SN_VERDICT_FAIL_CLOSED) || deny(loader, "script", 9, 0)) {
    fprintf(out, "error no policy: %s\n", strerror(errno));
    return;
  }
  clock_gettime(CLOCK_BOOTTIME, &now);
  loader->control->silent_ns = 3600ull * 1000000000;
  loader->control->heartbeat_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
  __atomic_store_n(&loader->control->policies, SN_POLICIES_PATH, __ATOMIC_SEQ_CST);
  for (int i = 0; i < PROGRAM_COUNT; i++)
    say_attempt("denied ", i, go, back);
  loader->control->silent_ns = 1;
  for (int i = 0; i < PROGRAM_COUNT; i++)
    say_attempt("silent ", i, go, back);
  for (int i = 0; i < PROGRAM_COUNT; i++) {
    snprintf(path, sizeof(path), "%s/%s", directory, PROGRAMS[i]);
    unlink(path);
  }
  usleep(100000);
  record_word = "act";
  sn_ring_consume(&loader->rings[0], print_record, NULL);
}

static int probe(const char *object)
{
  static const struct sn_watch watches[] = {
      {"shadow", SN_WATCH_READ_LEAF | SN_WATCH_SEC_LEAF},
      {"mem", SN_WATCH_READ_PROC},
      {"etc", SN_WATCH_SEC_TOP},
  };
  static const char *const states[] = {"missing", "active", "replaced"};
  struct sn_loader_options options = {.object_path = object, .watches = watches, .watch_count = 3};
  struct sn_loader loader;
  enum sn_failure failure;
  uint8_t *snapshot = NULL;
  int go[2], back[2];
  pid_t child;
  long length;
  char byte;

  if (pipe2(go, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
    return 1;
  child = fork();
  if (child == 0) {
    close(go[1]);
    if (read(go[0], &byte, 1) != 1)
      _exit(1);
    script();
    if (write(back[1], "s", 1) == 1)
      attempts(go[0], back[1]);
    _exit(0);
  }
  close(go[0]);
  close(back[1]);
  options.config.scope_kind = SN_SCOPE_PID;
  options.scope_pid = (uint32_t)child;
  failure = sn_loader_load(&loader, &options);
  if (failure == SN_OK)
    failure = sn_loader_attach(&loader);
  if (failure != SN_OK) {
    fprintf(out, "error %d %s\n", failure, loader.error);
    return 1;
  }
  length = sn_loader_snapshot(&loader, &snapshot);
  if (length > 0)
    print_record(NULL, snapshot, *(uint32_t *)snapshot);
  fprintf(out, "snapshot %ld\n", length);
  free(snapshot);
  if (write(go[1], "x", 1) != 1)
    return 1;
  if (read(back[0], &byte, 1) != 1)
    return 1;
  /* Final closes of a killed process and the last TCP states may lag behind. */
  usleep(300000);
  for (int ring = 0; ring < 2; ring++) {
    uint64_t tried = 0, lost = 0;
    sn_ring_consume(&loader.rings[ring], print_record, NULL);
    for (size_t cpu = 0; cpu < loader.cpu_count; cpu++) {
      tried += loader.cpus[cpu].next[ring];
      for (size_t i = 0; i < loader.hook_count; i++)
        lost += loader.cpus[cpu].hook[loader.hooks[i].id].lost_full[ring];
    }
    fprintf(out, "ring %s %llu %llu\n", ring ? "rb_obs" : "rb_sec", (unsigned long long)tried, (unsigned long long)lost);
  }
  for (size_t i = 0; i < loader.hook_count; i++) {
    const struct sn_hook_info *hook = &loader.hooks[i];
    uint64_t events = 0;
    for (size_t cpu = 0; cpu < loader.cpu_count; cpu++)
      events += loader.cpus[cpu].hook[hook->id].emitted[0] + loader.cpus[cpu].hook[hook->id].emitted[1];
    fprintf(out, "hook %s\t%s\t%s\t%llu\t%s\n", hook->name, hook->attach, states[hook->state],
            (unsigned long long)events, hook->detail);
  }
  try_policy(&loader, go[1], back[0]);
  close(go[1]);
  waitpid(child, NULL, 0);
  sn_loader_close(&loader);
  return 0;
}

static void be_init(void)
{
  struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

  mkdir("/proc", 0755);
  mkdir("/sys", 0755);
  mkdir("/tmp", 0777);
  mkdir("/dev", 0755);
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
  mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
  mkdir("/tmp/work", 0755);
  ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &lo);
}

int main(int argc, char **argv)
{
  int result;

  if (getpid() != 1) {
    if (argc < 4)
      return 2;
    out = stdout;
    workload = argv[2];
    directory = argv[3];
    result = probe(argv[1]);
    puts("done");
    return result;
  }
  be_init();
  out = fopen("/dev/ttyS1", "w");
  if (!out)
    out = stdout;
  workload = "/workload";
  directory = "/tmp/work";
  probe("/sensor.bpf.o");
  fputs("done\n", out);
  fclose(out);
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
