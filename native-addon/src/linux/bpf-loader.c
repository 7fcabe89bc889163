#define _GNU_SOURCE
#include "bpf-loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hooks.h"

#ifndef FSCONFIG_CMD_CREATE
#define FSCONFIG_CMD_CREATE 6
#endif
#define LOAD_ATTEMPTS 12

enum kind { TP_BTF, SYS_ENTER, SYS_EXIT, CGROUP, LSM, FENTRY, ITER };

struct hook {
  uint32_t id;
  const char *name;
  enum kind kind;
  const char *target;
  const char *program;
  uint64_t cookie;
};

#define ROW(id, name, kind, target, program, ...) ROW_(id, name, kind, target, program, __VA_ARGS__)
#define ROW_(id, name, kind, target, program, type, dfd, path, dfd2, path2, extra, arg) \
  {id, name, kind, target, program, SN_COOKIE(id, type, dfd, path, dfd2, path2, extra, arg)},
static const struct hook HOOKS[] = {SN_HOOKS(ROW)};
#define HOOK_COUNT (sizeof(HOOKS) / sizeof(HOOKS[0]))

static const char *const ATTACH_NAMES[] = {"tp_btf", "tracepoint", "tracepoint", "cgroup", "lsm", "fentry", "iter"};

/* ---- what libbpf says, kept to explain a failure ---- */

static __thread char failed_program[64]; /* program that the kernel refused */
static __thread char refusal[160];       /* why: the verifier's last line before its statistics */
static __thread char first_warning[200];

static void clear_log(void)
{
  failed_program[0] = refusal[0] = first_warning[0] = 0;
}

static int keep_log(enum libbpf_print_level level, const char *format, va_list args)
{
  char *text, *at, *start;

  if (level > LIBBPF_WARN || vasprintf(&text, format, args) < 0)
    return 0;
  if (getenv("SENTINEL_BPF_DEBUG"))
    fputs(text, stderr);
  if (!first_warning[0])
    snprintf(first_warning, sizeof(first_warning), "%s", text);
  at = strstr(text, "prog '");
  if (at && !failed_program[0] && (strstr(at, "load failed") || strstr(at, "failed to")))
    sscanf(at, "prog '%63[^']", failed_program);
  at = strstr(text, "\nprocessed ");
  if (at) {
    for (start = at; start > text && start[-1] != '\n'; start--)
      ;
    snprintf(refusal, sizeof(refusal), "verifier: %.*s", (int)(at - start < 120 ? at - start : 120), start);
  }
  free(text);
  return 0;
}

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

static int open_tracefs(void)
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

static long read_number(int directory, const char *path)
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
static int open_cgroup(const char *path)
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
static int probe_trampoline(const struct btf *btf, enum kind kind, const char *target)
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

static struct sn_hook_info *info_of(struct sn_loader *loader, uint32_t id)
{
  for (size_t i = 0; i < loader->hook_count; i++)
    if (loader->hooks[i].id == id)
      return &loader->hooks[i];
  return NULL;
}

static void set_missing(struct sn_hook_info *info, const char *format, ...)
{
  va_list args;

  info->state = SN_HOOK_MISSING;
  va_start(args, format);
  vsnprintf(info->detail, sizeof(info->detail), format, args);
  va_end(args);
}

static void set_replaced(struct sn_loader *loader, enum kind kind, const char *program, const char *why)
{
  for (size_t i = 0; i < HOOK_COUNT; i++) {
    if (HOOKS[i].kind == kind && strcmp(HOOKS[i].program, program) == 0) {
      loader->hooks[i].state = SN_HOOK_REPLACED;
      snprintf(loader->hooks[i].detail, sizeof(loader->hooks[i].detail), "%s", why);
    }
  }
}

static int to_attach(struct sn_loader *loader, uint32_t id)
{
  return info_of(loader, id)->state == SN_HOOK_ACTIVE;
}

/* Where two hooks see the same thing, the better one stands in for the other. */
static void choose_replacements(struct sn_loader *loader)
{
  for (size_t i = 0; i < HOOK_COUNT; i++) {
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
  if (to_attach(loader, 15))
    set_replaced(loader, SYS_EXIT, "on_open", "replaced by lsm/file_open");
  loader->config.writes_by_fput = to_attach(loader, 16);
  if (loader->config.writes_by_fput) {
    set_replaced(loader, SYS_ENTER, "on_close", "replaced by fentry/__fput");
    set_replaced(loader, SYS_ENTER, "on_dup", "replaced by fentry/__fput");
    set_replaced(loader, SYS_ENTER, "on_close_range", "replaced by fentry/__fput");
  }
}

/* Decides which hooks this kernel can have; ACTIVE stands for "to be attached" until sn_loader_attach(). */
static void probe_hooks(struct sn_loader *loader, const struct btf *btf)
{
  const int lsm = bpf_lsm_enabled();

  for (size_t i = 0; i < HOOK_COUNT; i++) {
    const struct hook *hook = &HOOKS[i];
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
        set_missing(info, "this kernel has no tracepoint %s", hook->target);
      break;
    case SYS_ENTER:
    case SYS_EXIT:
      snprintf(path, sizeof(path), "events/syscalls/sys_%s_%s/id", hook->kind == SYS_ENTER ? "enter" : "exit",
               hook->target);
      if (loader->tracefs_fd < 0)
        set_missing(info, "tracefs is not available");
      else if (faccessat(loader->tracefs_fd, path, R_OK, 0) != 0)
        set_missing(info, "this kernel has no system call %s", hook->target);
      break;
    case LSM:
    case FENTRY:
      if (hook->kind == LSM && !lsm) {
        set_missing(info, "bpf is not among the kernel's active security modules (boot with lsm=…,bpf)");
        break;
      }
      error = probe_trampoline(btf, hook->kind, hook->target);
      if (error)
        set_missing(info, "the kernel does not allow %s programs here (%s)", info->attach, strerror(-error));
      break;
    case CGROUP:
      if (loader->cgroup_fd < 0)
        set_missing(info, "there is no cgroup v2 hierarchy");
      break;
    case ITER:
      break;
    }
  }
  choose_replacements(loader);
}

/* ---- load ---- */

static enum sn_failure fail(struct sn_loader *loader, enum sn_failure failure, const char *format, ...)
{
  va_list args;

  va_start(args, format);
  vsnprintf(loader->error, sizeof(loader->error), format, args);
  va_end(args);
  return failure;
}

static int program_wanted(const struct sn_loader *loader, const char *program)
{
  for (size_t i = 0; i < HOOK_COUNT; i++)
    if (loader->hooks[i].state == SN_HOOK_ACTIVE && strcmp(HOOKS[i].program, program) == 0)
      return 1;
  return 0;
}

static enum sn_failure open_and_load(struct sn_loader *loader, const char *path)
{
  for (int attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
    struct bpf_program *program;
    struct bpf_map *map;
    size_t size;
    void *rodata;
    int error;

    clear_log();
    loader->object = bpf_object__open_file(path, NULL);
    if (!loader->object)
      return fail(loader, SN_FAIL_OBJECT, "%s could not be read (%s)", path, strerror(errno));
    bpf_object__for_each_program(program, loader->object)
        bpf_program__set_autoload(program, program_wanted(loader, bpf_program__name(program)));
    map = bpf_object__find_map_by_name(loader->object, "cpus");
    if (!map)
      return fail(loader, SN_FAIL_OBJECT, "%s is not the sensor's object", path);
    bpf_map__set_max_entries(map, (uint32_t)loader->cpu_count);
    map = bpf_object__find_map_by_name(loader->object, ".rodata.cfg");
    rodata = map ? (void *)bpf_map__initial_value(map, &size) : NULL;
    if (!rodata || size != sizeof(loader->config))
      return fail(loader, SN_FAIL_OBJECT, "%s was built from other sources than this program", path);
    memcpy(rodata, &loader->config, sizeof(loader->config));

    error = bpf_object__load(loader->object);
    if (!error)
      return SN_OK;
    bpf_object__close(loader->object);
    loader->object = NULL;
    if (!failed_program[0]) {
      if (error == -EPERM || error == -EACCES)
        return fail(loader, SN_FAIL_PERMISSION, "the kernel refuses to load eBPF programs (%s)", strerror(-error));
      return fail(loader, SN_FAIL_KERNEL, "the eBPF object did not load (%s): %s", strerror(-error), first_warning);
    }
    if (error == -EPERM && geteuid() != 0)
      return fail(loader, SN_FAIL_PERMISSION, "loading eBPF programs needs root or CAP_BPF and CAP_PERFMON");
    /* One program that this kernel does not take must not cost the others. */
    for (size_t i = 0; i < HOOK_COUNT; i++) {
      if (strcmp(HOOKS[i].program, failed_program) != 0)
        continue;
      set_missing(&loader->hooks[i], "did not load (%s) %s", strerror(-error), refusal);
      if (HOOKS[i].id <= 3)
        return fail(loader, error == -EPERM ? SN_FAIL_PERMISSION : SN_FAIL_KERNEL, "%s did not load (%s) %s",
                    HOOKS[i].name, strerror(-error), refusal);
    }
    choose_replacements(loader);
  }
  return fail(loader, SN_FAIL_KERNEL, "more than %d eBPF programs did not load", LOAD_ATTEMPTS);
}

static int map_fd(const struct sn_loader *loader, const char *name)
{
  return bpf_object__find_map_fd_by_name(loader->object, name);
}

static size_t page_round(size_t size)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);

  return (size + page - 1) / page * page;
}

static void *map_array(const struct sn_loader *loader, const char *name, size_t size)
{
  void *memory = mmap(NULL, page_round(size), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(loader, name), 0);

  return memory == MAP_FAILED ? NULL : memory;
}

static void fill_maps(struct sn_loader *loader, const struct sn_loader_options *options)
{
  for (size_t i = 0; i < options->watch_count; i++) {
    struct sn_name key = {{0}};
    size_t length = strlen(options->watches[i].name);
    if (length == 0 || length >= SN_NAME_MAX)
      continue;
    memcpy(key.text, options->watches[i].name, length);
    bpf_map_update_elem(map_fd(loader, "watch_names"), &key, &options->watches[i].bits, BPF_ANY);
  }
  for (size_t i = 0; i < options->noise_count; i++) {
    uint32_t one = 1;
    bpf_map_update_elem(map_fd(loader, "noise_exe"), &options->noise[i], &one, BPF_ANY);
  }
  if (options->config.scope_kind == SN_SCOPE_CGROUP) {
    uint32_t zero = 0;
    bpf_map_update_elem(map_fd(loader, "scope_cgroup"), &zero, &loader->cgroup_fd, BPF_ANY);
  }
  if (options->config.scope_kind == SN_SCOPE_PID) {
    uint32_t one = 1;
    bpf_map_update_elem(map_fd(loader, "scope_pids"), &options->scope_pid, &one, BPF_ANY);
  }
}

enum sn_failure sn_loader_load(struct sn_loader *loader, const struct sn_loader_options *options)
{
  enum sn_failure failure;
  struct btf *btf;
  struct stat stat;
  int cpus;

  memset(loader, 0, sizeof(*loader));
  loader->config = options->config;
  loader->config.noise = options->noise_count > 0;
  for (size_t i = 0; i < options->watch_count; i++) {
    const char *name = options->watches[i].name;
    if (name[0] && strlen(name) < SN_NAME_MAX)
      loader->config.watch_heads[strlen(name)] |= 1ull << (name[0] & 63);
  }
  loader->tracefs_fd = loader->cgroup_fd = -1;
  loader->hook_count = HOOK_COUNT;
  loader->hooks = calloc(HOOK_COUNT, sizeof(*loader->hooks));
  loader->links = calloc(HOOK_COUNT, sizeof(*loader->links));
  libbpf_set_print(keep_log);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  btf = btf__load_vmlinux_btf();
  if (!btf)
    return fail(loader, SN_FAIL_BTF, "the kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF");
  cpus = libbpf_num_possible_cpus();
  loader->cpu_count = cpus < 1 ? 1 : cpus > SN_CPU_MAX ? SN_CPU_MAX : (size_t)cpus;

  loader->cgroup_fd = open_cgroup(options->config.scope_kind == SN_SCOPE_CGROUP ? options->cgroup_path : NULL);
  if (options->config.scope_kind == SN_SCOPE_CGROUP) {
    if (loader->cgroup_fd < 0 || fstat(loader->cgroup_fd, &stat) != 0) {
      btf__free(btf);
      return fail(loader, SN_FAIL_SCOPE, "no cgroup v2 directory %s (%s)", options->cgroup_path, strerror(errno));
    }
    loader->config.scope_cgroup = stat.st_ino;
  }
  loader->tracefs_fd = open_tracefs();
  probe_hooks(loader, btf);
  btf__free(btf);

  failure = open_and_load(loader, options->object_path);
  if (failure)
    return failure;
  fill_maps(loader, options);
  if (sn_ring_map(&loader->rings[SN_RING_SECURITY], map_fd(loader, "rb_sec"), SN_RING_SEC_BYTES) ||
      sn_ring_map(&loader->rings[SN_RING_OBSERVABILITY], map_fd(loader, "rb_obs"), SN_RING_OBS_BYTES))
    return fail(loader, SN_FAIL_KERNEL, "the ring buffers could not be mapped (%s)", strerror(errno));
  loader->cpus = map_array(loader, "cpus", loader->cpu_count * sizeof(struct sn_cpu));
  loader->control = map_array(loader, "control", sizeof(struct sn_control));
  if (!loader->cpus || !loader->control)
    return fail(loader, SN_FAIL_KERNEL, "the counters could not be mapped (%s)", strerror(errno));
  return SN_OK;
}

/* ---- snapshot ---- */

static long read_iterator(struct sn_loader *loader, uint8_t **bytes)
{
  struct bpf_program *program = bpf_object__find_program_by_name(loader->object, "snapshot_tasks");
  size_t size = 1 << 20, used = 0;
  struct bpf_link *link;
  uint8_t *buffer;
  long result;
  int fd;

  link = program && bpf_program__fd(program) >= 0 ? bpf_program__attach_iter(program, NULL) : NULL;
  if (!link)
    return -errno;
  fd = bpf_iter_create(bpf_link__fd(link));
  if (fd < 0) {
    result = -errno;
    bpf_link__destroy(link);
    return result;
  }
  buffer = malloc(size);
  for (;;) {
    ssize_t n;
    if (size - used < 1 << 16)
      buffer = realloc(buffer, size *= 2);
    n = read(fd, buffer + used, size - used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n <= 0) {
      result = n < 0 ? -errno : (long)used;
      break;
    }
    used += (size_t)n;
  }
  close(fd);
  bpf_link__destroy(link);
  if (result < 0)
    free(buffer);
  else
    *bytes = buffer;
  return result;
}

/* Before anything is recorded: our own records would otherwise beget records. */
static void learn_own_pid(struct sn_loader *loader)
{
  struct bpf_program *program = bpf_object__find_program_by_name(loader->object, "snapshot_tasks");
  struct bpf_link *link;
  char some[4096];
  int fd;

  loader->control->own_tgid = (uint32_t)getpid();
  link = program && bpf_program__fd(program) >= 0 ? bpf_program__attach_iter(program, NULL) : NULL;
  if (!link)
    return;
  fd = bpf_iter_create(bpf_link__fd(link));
  if (fd >= 0) {
    ssize_t n = read(fd, some, sizeof(some));
    (void)n; /* What it says does not matter, that it ran does. */
    close(fd);
  }
  bpf_link__destroy(link);
}

long sn_loader_snapshot(struct sn_loader *loader, uint8_t **bytes)
{
  long length = read_iterator(loader, bytes), before;

  if (length < 0)
    set_missing(info_of(loader, 4), "the task iterator cannot be read (%s)", strerror((int)-length));
  /* A child with a smaller pid than its parent is only found once the parent is known. */
  for (int pass = 0; loader->config.scope_kind == SN_SCOPE_PID && length >= 0 && pass < 8; pass++) {
    before = length;
    free(*bytes);
    length = read_iterator(loader, bytes);
    if (length == before)
      break;
  }
  return length;
}

/* ---- attach ---- */

static struct bpf_link *attach_syscall(struct sn_loader *loader, const struct hook *hook, struct bpf_program *program)
{
  LIBBPF_OPTS(bpf_perf_event_opts, options, .bpf_cookie = hook->cookie);
  struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .sample_period = 1, .wakeup_events = 1};
  struct bpf_link *link;
  char path[128];
  long id;
  int fd;

  snprintf(path, sizeof(path), "events/syscalls/sys_%s_%s/id", hook->kind == SYS_ENTER ? "enter" : "exit",
           hook->target);
  id = read_number(loader->tracefs_fd, path);
  if (id < 0) {
    errno = ENOENT;
    return NULL;
  }
  attr.config = (uint64_t)id;
  fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0)
    return NULL;
  link = bpf_program__attach_perf_event_opts(program, fd, &options);
  if (!link) {
    int error = errno;
    close(fd);
    errno = error;
  }
  return link;
}

static struct bpf_link *attach(struct sn_loader *loader, const struct hook *hook, struct bpf_program *program)
{
  switch (hook->kind) {
  case SYS_ENTER:
  case SYS_EXIT:
    return attach_syscall(loader, hook, program);
  case CGROUP:
    return bpf_program__attach_cgroup(program, loader->cgroup_fd);
  default:
    return bpf_program__attach(program);
  }
}

enum sn_failure sn_loader_attach(struct sn_loader *loader)
{
  learn_own_pid(loader);
  for (size_t i = 0; i < HOOK_COUNT; i++) {
    const struct hook *hook = &HOOKS[i];
    struct sn_hook_info *info = &loader->hooks[i];
    struct bpf_program *program;
    struct bpf_link *link;

    if (info->state != SN_HOOK_ACTIVE || hook->kind == ITER)
      continue;
    program = bpf_object__find_program_by_name(loader->object, hook->program);
    link = program ? attach(loader, hook, program) : NULL;
    if (!link) {
      set_missing(info, "could not be attached (%s)", program ? strerror(errno) : "no such program");
      if (hook->id <= 3)
        return fail(loader, errno == EPERM ? SN_FAIL_PERMISSION : SN_FAIL_KERNEL, "%s %s", hook->name, info->detail);
      continue;
    }
    loader->links[loader->link_count++] = link;
    if (hook->kind == LSM)
      loader->lsm_active++;
  }
  return SN_OK;
}

/* ---- end ---- */

static int compare_fds(const void *a, const void *b)
{
  return *(const int *)a - *(const int *)b;
}

/* Forks a process that keeps `fds` (sorted) open, and nothing else, until the other end of `turn`, one of them, is
 * closed; so it is the last to hold them. The intermediate parent makes it nobody's child. Only calls that are safe
 * after a fork of a threaded process. */
static void hand_over(const int *fds, size_t count, int turn)
{
  pid_t child = fork();
  int next = 0;
  char none;

  if (child > 0) {
    waitpid(child, NULL, 0);
    return;
  }
  if (child < 0)
    return;
  if (fork() != 0)
    _exit(0);
  for (size_t i = 0; i < count; i++) {
    if (fds[i] > next)
      syscall(SYS_close_range, next, fds[i] - 1, 0);
    next = fds[i] + 1;
  }
  syscall(SYS_close_range, next, ~0u, 0);
  while (read(turn, &none, 1) < 0 && errno == EINTR)
    ;
  _exit(0);
}

void sn_loader_detach(struct sn_loader *loader)
{
  int *fds, turn[2] = {-1, -1};

  if (loader->control)
    __atomic_store_n(&loader->control->stopped, 1, __ATOMIC_SEQ_CST);
  if (loader->link_count == 0)
    return;
  fds = calloc(loader->link_count + 1, sizeof(*fds));
  if (pipe2(turn, O_CLOEXEC) == 0) {
    for (size_t i = 0; i < loader->link_count; i++)
      fds[i] = bpf_link__fd(loader->links[i]);
    fds[loader->link_count] = turn[0];
    qsort(fds, loader->link_count + 1, sizeof(*fds), compare_fds);
    hand_over(fds, loader->link_count + 1, turn[0]);
    close(turn[0]);
  }
  free(fds);
  for (size_t i = 0; i < loader->link_count; i++)
    bpf_link__destroy(loader->links[i]);
  loader->link_count = 0;
  if (turn[1] >= 0)
    close(turn[1]);
}

void sn_loader_close(struct sn_loader *loader)
{
  sn_loader_detach(loader);
  sn_ring_unmap(&loader->rings[0]);
  sn_ring_unmap(&loader->rings[1]);
  if (loader->cpus)
    munmap(loader->cpus, page_round(loader->cpu_count * sizeof(struct sn_cpu)));
  if (loader->control)
    munmap(loader->control, page_round(sizeof(struct sn_control)));
  if (loader->object)
    bpf_object__close(loader->object);
  if (loader->cgroup_fd >= 0)
    close(loader->cgroup_fd);
  if (loader->tracefs_fd >= 0)
    close(loader->tracefs_fd);
  free(loader->hooks);
  free(loader->links);
  memset(loader, 0, sizeof(*loader));
  loader->cgroup_fd = loader->tracefs_fd = -1;
}
