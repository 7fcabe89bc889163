/* Loads the sensor's object on whatever kernel runs it, has a fixed workload done, and prints what was recorded. As
 * process 1 it is a whole guest: mounts what is needed, runs, powers off. Elsewhere: guest OBJECT WORKLOAD DIR.
 *
 * Output, one item per line: "hook NAME ATTACH STATE EVENTS LOST DETAIL", "snapshot COUNT BYTES", "ring NAME TRIED
 * LOST", "record BASE64" for each record in order of the rings, "error TEXT", "done". */
#define _GNU_SOURCE
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

static int print_record(void *context, const void *record, uint32_t length)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8_t *bytes = record;

  fputs("record ", out);
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
  int go[2];
  pid_t child;
  long length;
  char byte;

  if (pipe(go))
    return 1;
  child = fork();
  if (child == 0) {
    close(go[1]);
    if (read(go[0], &byte, 1) != 1)
      _exit(1);
    script();
    _exit(0);
  }
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
  waitpid(child, NULL, 0);
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
