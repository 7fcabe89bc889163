/* What this kernel has and allows: the table of hooks, and a probe for each. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include "bpf-internal.h"
#include "hooks.h"

#ifndef FSCONFIG_CMD_CREATE
#define FSCONFIG_CMD_CREATE 6
#endif

#define ROW(id, name, kind, target, program, ...) ROW_(id, name, kind, target, program, __VA_ARGS__)
#define ROW_(id, name, kind, target, program, type, dfd, path, dfd2, path2, extra, arg) \
  {id, name, kind, target, program, SN_COOKIE(id, type, dfd, path, dfd2, path2, extra, arg)},
const struct sn_hook SN_HOOK_TABLE[] = {SN_HOOKS(ROW)};
const size_t SN_HOOK_COUNT = sizeof(SN_HOOK_TABLE) / sizeof(SN_HOOK_TABLE[0]);

static const char *const ATTACH_NAMES[] = {"tp_btf", "tracepoint", "tracepoint", "cgroup", "lsm", "fentry", "iter"};

/* ---- kernel file systems, without depending on where or whether they are mounted ---- */

/* A detached mount of a file system that keeps one instance for all; -1 and errno on failure. */
static int mount_detached(const char *type)
{
  int context = (int)syscall(SYS_fsopen, type, 1 /* FSOPEN_CLOEXEC */), mount;

  if (context < 0)
    return -1;
  if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
    close(context);
    return -1;
  }
  mount = (int)syscall(SYS_fsmount, context, 1 /* FSMOUNT_CLOEXEC */, 0);
  close(context);
  return mount;
}

int sn_open_tracefs(void)
{
  static const char *const paths[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

  for (size_t i = 0; i < 2; i++) {
    int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
      continue;
    if (faccessat(fd, "events/syscalls", R_OK, 0) == 0)
      return fd;
    close(fd);
  }
  return mount_detached("tracefs");
}

long sn_read_number(int directory, const char *path)
{
  char text[32] = {0};
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
  ssize_t n;

  if (fd < 0)
    return -1;
  n = read(fd, text, sizeof(text) - 1);
  close(fd);
  return n > 0 ? strtol(text, NULL, 10) : -1;
}

/* Whether the kernel calls BPF LSM programs at all: "bpf" is in its list of active modules. */
static int bpf_lsm_enabled(void)
{
  char text[512] = {0};
  int root = mount_detached("securityfs"), fd, found = 0;

  fd = root >= 0 ? openat(root, "lsm", O_RDONLY | O_CLOEXEC) : open("/sys/kernel/security/lsm", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (read(fd, text, sizeof(text) - 2) > 0)
      for (char *word = strtok(text, ",\n"); word; word = strtok(NULL, ",\n"))
        found |= strcmp(word, "bpf") == 0;
    close(fd);
  }
  if (root >= 0)
    close(root);
  return found;
}

/* Directory of the cgroup2 hierarchy, or of `path` in it. */
int sn_open_cgroup(const char *path)
{
  char mount[512] = "", line[1024], device[128], directory[512], type[64], joined[1100];
  FILE *mounts = fopen("/proc/self/mounts", "re");
  int root, fd;

  while (mounts && fgets(line, sizeof(line), mounts)) {
    if (sscanf(line, "%127s %511s %63s", device, directory, type) == 3 && strcmp(type, "cgroup2") == 0) {
      snprintf(mount, sizeof(mount), "%s", directory);
      break;
    }
  }
  if (mounts)
    fclose(mounts);
  if (!mount[0]) {
    root = mount_detached("cgroup2");
    if (root < 0 || !path)
      return root;
    while (*path == '/')
      path++;
    fd = openat(root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(root);
    return fd;
  }
  if (!path)
    path = "";
  if (strncmp(path, mount, strlen(mount)) == 0)
    snprintf(joined, sizeof(joined), "%s", path);
  else
    snprintf(joined, sizeof(joined), "%s/%s", mount, path);
  return open(joined, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- probes ---- */

/* Tries a program that does nothing at an LSM or fentry hook: loads, attaches, forgets. Returns 0 or -errno. */
static int probe_trampoline(const struct btf *btf, enum sn_kind kind, const char *target)
{
  const struct bpf_insn nothing[] = {
      {.code = 0xb7 /* r0 = 0 */},
      {.code = 0x95 /* exit */},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kind == LSM ? BPF_LSM_MAC : BPF_TRACE_FENTRY);
  char symbol[96];
  int id, fd, link, error = 0;

  snprintf(symbol, sizeof(symbol), "%s%s", kind == LSM ? "bpf_lsm_" : "", target);
  id = btf__find_by_name_kind(btf, symbol, BTF_KIND_FUNC);
  if (id < 0)
    return -ENOENT;
  options.attach_btf_id = (uint32_t)id;
  fd = bpf_prog_load(kind == LSM ? BPF_PROG_TYPE_LSM : BPF_PROG_TYPE_TRACING, "sn_probe", "Dual BSD/GPL", nothing, 2,
                     &options);
  if (fd < 0)
    return -errno;
  link = bpf_raw_tracepoint_open(NULL, fd);
  if (link < 0)
    error = -errno;
  else
    close(link);
  close(fd);
  return error;
}

struct sn_hook_info *sn_info_of(struct sn_loader *loader, uint32_t id)
{
  for (size_t i = 0; i < loader->hook_count; i++)
    if (loader->hooks[i].id == id)
      return &loader->hooks[i];
  return NULL;
}

void sn_set_missing(struct sn_hook_info *info, const char *format, ...)
{
  va_list args;

  info->state = SN_HOOK_MISSING;
  va_start(args, format);
  vsnprintf(info->detail, sizeof(info->detail), format, args);
  va_end(args);
}

static void set_replaced(struct sn_loader *loader, enum sn_kind kind, const char *program, const char *why)
{
  for (size_t i = 0; i < SN_HOOK_COUNT; i++) {
    if (SN_HOOK_TABLE[i].kind == kind && strcmp(SN_HOOK_TABLE[i].program, program) == 0) {
      loader->hooks[i].state = SN_HOOK_REPLACED;
      snprintf(loader->hooks[i].detail, sizeof(loader->hooks[i].detail), "%s", why);
    }
  }
}

static int to_attach(struct sn_loader *loader, uint32_t id)
{
  return sn_info_of(loader, id)->state == SN_HOOK_ACTIVE;
}

/* Where two hooks see the same thing, the better one stands in for the other. */
void sn_choose_replacements(struct sn_loader *loader)
{
  for (size_t i = 0; i < SN_HOOK_COUNT; i++) {
    if (loader->hooks[i].state == SN_HOOK_REPLACED) {
      loader->hooks[i].state = SN_HOOK_ACTIVE;
      loader->hooks[i].detail[0] = 0;
    }
  }
  if (loader->config.scope_kind != SN_SCOPE_PID)
    set_replaced(loader, TP_BTF, "on_free", "only the scope of a process tree needs it");
  if (to_attach(loader, 7))
    set_replaced(loader, TP_BTF, "on_uring_sqe", "replaced by io_uring_submit_req");
  else if (to_attach(loader, 8))
    set_replaced(loader, TP_BTF, "on_uring_req", "replaced by io_uring_submit_sqe");
  loader->config.opens_by_lsm = to_attach(loader, 15);
  if (loader->config.opens_by_lsm)
    set_replaced(loader, SYS_EXIT, "on_open", "replaced by lsm/file_open");
  loader->config.writes_by_fput = to_attach(loader, 16);
  if (loader->config.writes_by_fput) {
    set_replaced(loader, SYS_ENTER, "on_close", "replaced by fentry/__fput");
    set_replaced(loader, SYS_ENTER, "on_dup", "replaced by fentry/__fput");
    set_replaced(loader, SYS_ENTER, "on_close_range", "replaced by fentry/__fput");
  }
}

/* Decides which hooks this kernel can have; ACTIVE stands for "to be attached" until sn_loader_attach(). */
void sn_probe_hooks(struct sn_loader *loader, const struct btf *btf)
{
  const int lsm = bpf_lsm_enabled();

  for (size_t i = 0; i < SN_HOOK_COUNT; i++) {
    const struct sn_hook *hook = &SN_HOOK_TABLE[i];
    struct sn_hook_info *info = &loader->hooks[i];
    char path[128];
    int error;

    info->id = hook->id;
    info->name = hook->name;
    info->attach = ATTACH_NAMES[hook->kind];
    info->state = SN_HOOK_ACTIVE;
    switch (hook->kind) {
    case TP_BTF:
      snprintf(path, sizeof(path), "btf_trace_%s", hook->target);
      if (btf__find_by_name_kind(btf, path, BTF_KIND_TYPEDEF) < 0)
        sn_set_missing(info, "this kernel has no tracepoint %s", hook->target);
      break;
    case SYS_ENTER:
    case SYS_EXIT:
      snprintf(path, sizeof(path), "events/syscalls/sys_%s_%s/id", hook->kind == SYS_ENTER ? "enter" : "exit",
               hook->target);
      if (loader->tracefs_fd < 0)
        sn_set_missing(info, "tracefs is not available");
      else if (faccessat(loader->tracefs_fd, path, R_OK, 0) != 0)
        sn_set_missing(info, "this kernel has no system call %s", hook->target);
      break;
    case LSM:
    case FENTRY:
      if (hook->kind == LSM && !lsm) {
        sn_set_missing(info, "bpf is not among the kernel's active security modules (boot with lsm=…,bpf)");
        break;
      }
      error = probe_trampoline(btf, hook->kind, hook->target);
      if (error)
        sn_set_missing(info, "the kernel does not allow %s programs here (%s)", info->attach, strerror(-error));
      break;
    case CGROUP:
      if (loader->cgroup_fd < 0)
        sn_set_missing(info, "there is no cgroup v2 hierarchy");
      break;
    case ITER:
      break;
    }
  }
  loader->config.no_modules = sn_info_of(loader, 77)->state == SN_HOOK_MISSING;
  loader->config.no_kexec = sn_info_of(loader, 80)->state == SN_HOOK_MISSING;
  sn_choose_replacements(loader);
}
