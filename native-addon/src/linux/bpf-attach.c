/* Attaches the hooks, lists what already runs, and takes the hooks out again. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "bpf-internal.h"

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
    sn_set_missing(sn_info_of(loader, 4), "the task iterator cannot be read (%s)", strerror((int)-length));
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

static struct bpf_link *attach_syscall(struct sn_loader *loader, const struct sn_hook *hook, struct bpf_program *program)
{
  LIBBPF_OPTS(bpf_perf_event_opts, options, .bpf_cookie = hook->cookie);
  struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .sample_period = 1, .wakeup_events = 1};
  struct bpf_link *link;
  char path[128];
  long id;
  int fd;

  snprintf(path, sizeof(path), "events/syscalls/sys_%s_%s/id", hook->kind == SYS_ENTER ? "enter" : "exit",
           hook->target);
  id = sn_read_number(loader->tracefs_fd, path);
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

static struct bpf_link *attach(struct sn_loader *loader, const struct sn_hook *hook, struct bpf_program *program)
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
  for (size_t i = 0; i < SN_HOOK_COUNT; i++) {
    const struct sn_hook *hook = &SN_HOOK_TABLE[i];
    struct sn_hook_info *info = &loader->hooks[i];
    struct bpf_program *program;
    struct bpf_link *link;

    if (info->state != SN_HOOK_ACTIVE || hook->kind == ITER)
      continue;
    program = bpf_object__find_program_by_name(loader->object, hook->program);
    link = program ? attach(loader, hook, program) : NULL;
    if (!link) {
      sn_set_missing(info, "could not be attached (%s)", program ? strerror(errno) : "no such program");
      if (hook->id <= 3)
        return sn_fail(loader, errno == EPERM ? SN_FAIL_PERMISSION : SN_FAIL_KERNEL, "%s %s", hook->name, info->detail);
      continue;
    }
    loader->links[loader->link_count++] = link;
    if (hook->kind == LSM)
      loader->lsm_active++;
  }
  return SN_OK;
}

/* ---- detach ---- */

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
