/* Loads the object: one program that a kernel does not take must not cost the others. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "bpf-internal.h"

#define LOAD_ATTEMPTS 12

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

/* ---- load ---- */

enum sn_failure sn_fail(struct sn_loader *loader, enum sn_failure failure, const char *format, ...)
{
  va_list args;

  va_start(args, format);
  vsnprintf(loader->error, sizeof(loader->error), format, args);
  va_end(args);
  return failure;
}

static int program_wanted(const struct sn_loader *loader, const char *program)
{
  for (size_t i = 0; i < SN_HOOK_COUNT; i++)
    if (loader->hooks[i].state == SN_HOOK_ACTIVE && strcmp(SN_HOOK_TABLE[i].program, program) == 0)
      return 1;
  return 0;
}

static uint32_t number_in(const char *path)
{
  unsigned long value = 0;
  FILE *file = fopen(path, "re");

  if (!file)
    return 0;
  if (fscanf(file, "%lu", &value) != 1)
    value = 0;
  fclose(file);
  return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* As many as there can be processes: who is cut off must not make room for a child by filling the table. */
static uint32_t cut_entries(void)
{
  uint32_t threads = number_in("/proc/sys/kernel/threads-max"), pids = number_in("/proc/sys/kernel/pid_max");
  uint32_t most = threads < pids ? threads : pids;

  return most < SN_CUT_LEAST ? SN_CUT_LEAST : most > SN_CUT_MOST ? SN_CUT_MOST : most;
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
      return sn_fail(loader, SN_FAIL_OBJECT, "%s could not be read (%s)", path, strerror(errno));
    bpf_object__for_each_program(program, loader->object)
        bpf_program__set_autoload(program, program_wanted(loader, bpf_program__name(program)));
    map = bpf_object__find_map_by_name(loader->object, "cpus");
    if (!map)
      return sn_fail(loader, SN_FAIL_OBJECT, "%s is not the sensor's object", path);
    bpf_map__set_max_entries(map, (uint32_t)loader->cpu_count);
    map = bpf_object__find_map_by_name(loader->object, "cut_tgid");
    if (!map)
      return sn_fail(loader, SN_FAIL_OBJECT, "%s is not the sensor's object", path);
    bpf_map__set_max_entries(map, cut_entries());
    map = bpf_object__find_map_by_name(loader->object, ".rodata.cfg");
    rodata = map ? (void *)bpf_map__initial_value(map, &size) : NULL;
    if (!rodata || size != sizeof(loader->config))
      return sn_fail(loader, SN_FAIL_OBJECT, "%s was built from other sources than this program", path);
    memcpy(rodata, &loader->config, sizeof(loader->config));

    error = bpf_object__load(loader->object);
    if (!error)
      return SN_OK;
    bpf_object__close(loader->object);
    loader->object = NULL;
    if (!failed_program[0]) {
      if (error == -EPERM || error == -EACCES)
        return sn_fail(loader, SN_FAIL_PERMISSION, "the kernel refuses to load eBPF programs (%s)", strerror(-error));
      return sn_fail(loader, SN_FAIL_KERNEL, "the eBPF object did not load (%s): %s", strerror(-error), first_warning);
    }
    if (error == -EPERM && geteuid() != 0)
      return sn_fail(loader, SN_FAIL_PERMISSION, "loading eBPF programs needs root or CAP_BPF and CAP_PERFMON");
    /* One program that this kernel does not take must not cost the others. */
    for (size_t i = 0; i < SN_HOOK_COUNT; i++) {
      if (strcmp(SN_HOOK_TABLE[i].program, failed_program) != 0)
        continue;
      sn_set_missing(&loader->hooks[i], "did not load (%s) %s", strerror(-error), refusal);
      if (SN_HOOK_TABLE[i].id <= 3)
        return sn_fail(loader, error == -EPERM ? SN_FAIL_PERMISSION : SN_FAIL_KERNEL, "%s did not load (%s) %s",
                    SN_HOOK_TABLE[i].name, strerror(-error), refusal);
    }
    sn_choose_replacements(loader);
  }
  return sn_fail(loader, SN_FAIL_KERNEL, "more than %d eBPF programs did not load", LOAD_ATTEMPTS);
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
  snprintf(loader->keeper_tag, sizeof(loader->keeper_tag), "%s", options->keeper_tag ? options->keeper_tag : "");
  for (size_t i = 0; i < options->watch_count; i++) {
    const char *name = options->watches[i].name;
    if (name[0] && strlen(name) < SN_NAME_MAX)
      loader->config.watch_heads[strlen(name)] |= 1ull << (name[0] & 63);
  }
  loader->tracefs_fd = loader->cgroup_fd = loader->keeper_pipe = -1;
  loader->hook_count = SN_HOOK_COUNT;
  loader->hooks = calloc(SN_HOOK_COUNT, sizeof(*loader->hooks));
  loader->links = calloc(SN_HOOK_COUNT, sizeof(*loader->links));
  loader->origins = calloc(SN_HOOK_COUNT, sizeof(*loader->origins));
  libbpf_set_print(keep_log);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  btf = btf__load_vmlinux_btf();
  if (!btf)
    return sn_fail(loader, SN_FAIL_BTF, "the kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF");
  cpus = libbpf_num_possible_cpus();
  loader->cpu_count = cpus < 1 ? 1 : cpus > SN_CPU_MAX ? SN_CPU_MAX : (size_t)cpus;

  loader->cgroup_fd = sn_open_cgroup(options->config.scope_kind == SN_SCOPE_CGROUP ? options->cgroup_path : NULL);
  if (options->config.scope_kind == SN_SCOPE_CGROUP) {
    if (loader->cgroup_fd < 0 || fstat(loader->cgroup_fd, &stat) != 0) {
      btf__free(btf);
      return sn_fail(loader, SN_FAIL_SCOPE, "no cgroup v2 directory %s (%s)", options->cgroup_path, strerror(errno));
    }
    loader->config.scope_cgroup = stat.st_ino;
  }
  loader->tracefs_fd = sn_open_tracefs();
  sn_probe_hooks(loader, btf);
  btf__free(btf);

  failure = open_and_load(loader, options->object_path);
  if (failure)
    return failure;
  fill_maps(loader, options);
  if (sn_ring_map(&loader->rings[SN_RING_SECURITY], map_fd(loader, "rb_sec"), SN_RING_SEC_BYTES) ||
      sn_ring_map(&loader->rings[SN_RING_OBSERVABILITY], map_fd(loader, "rb_obs"), SN_RING_OBS_BYTES))
    return sn_fail(loader, SN_FAIL_KERNEL, "the ring buffers could not be mapped (%s)", strerror(errno));
  loader->cpus = map_array(loader, "cpus", loader->cpu_count * sizeof(struct sn_cpu));
  loader->control = map_array(loader, "control", sizeof(struct sn_control));
  if (!loader->cpus || !loader->control)
    return sn_fail(loader, SN_FAIL_KERNEL, "the counters could not be mapped (%s)", strerror(errno));
  return SN_OK;
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
  if (loader->keeper_pid > 0)
    waitpid(loader->keeper_pid, NULL, WNOHANG);
  if (loader->cgroup_fd >= 0)
    close(loader->cgroup_fd);
  if (loader->tracefs_fd >= 0)
    close(loader->tracefs_fd);
  free(loader->hooks);
  free(loader->links);
  free(loader->origins);
  memset(loader, 0, sizeof(*loader));
  loader->cgroup_fd = loader->tracefs_fd = loader->keeper_pipe = -1;
}
