/* Attaches the hooks, lists what already runs, and takes the hooks out again. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

/* Taking the hook of a system call out of the kernel costs whoever lets go of it last a grace period, 5 s in all; a
 * killed agent would be a zombie for that long, and its successor would start late. So a process that does nothing else
 * holds the hooks too, until its standard input ends, and lets go of them at leisure. */
static void start_keeper(struct sn_loader *loader)
{
  /* Lines say what to thaw after the last, and whether to hold on: then it waits on a pipe that only it can write to. */
  static char script[] = "while read -r word file; do case $word in frozen) files=\"$files $file\";; thawed) files=;; "
                         "*) hold=$word;; esac; done; for file in $files; do echo 0 > \"$file\"; done; "
                         "[ \"$hold\" != hold ] || read -r word <&1";
  char *const argv[] = {"sentinel-hooks", "-c", script, loader->keeper_tag, NULL}, *const environment[] = {NULL};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int turn[2], never[2], pid;

  if (pipe2(turn, O_CLOEXEC) != 0)
    return;
  if (pipe2(never, O_CLOEXEC) != 0) {
    close(turn[0]);
    close(turn[1]);
    return;
  }
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  /* A session of its own: an interrupt typed at the agent's terminal is not meant for it. */
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_adddup2(&actions, turn[0], 0);
  posix_spawn_file_actions_adddup2(&actions, never[0], 1);
  posix_spawn_file_actions_adddup2(&actions, never[1], never[1]);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  /* Onto itself: that is how a descriptor is kept open across the exec. */
  for (size_t i = 0; i < loader->link_count; i++)
    posix_spawn_file_actions_adddup2(&actions, bpf_link__fd(loader->links[i]), bpf_link__fd(loader->links[i]));
  __atomic_store_n(&loader->control->spawning, 1, __ATOMIC_SEQ_CST);
  if (posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environment) == 0) {
    loader->keeper_pid = pid;
    loader->keeper_pipe = turn[1];
  } else {
    close(turn[1]);
  }
  __atomic_store_n(&loader->control->spawning, 0, __ATOMIC_SEQ_CST);
  close(turn[0]);
  close(never[0]);
  close(never[1]);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
}

static int link_info(const struct bpf_link *link, struct bpf_link_info *info)
{
  uint32_t size = sizeof(*info);

  memset(info, 0, sizeof(*info));
  return bpf_obj_get_info_by_fd(bpf_link__fd(link), info, &size);
}

static void note_origin(struct sn_link_origin *origin, const struct sn_hook_info *hook, const struct bpf_link *link)
{
  struct bpf_link_info info;

  origin->hook = hook;
  if (link_info(link, &info) == 0) {
    origin->link_id = info.id;
    origin->program_id = info.prog_id;
  }
}

int sn_loader_link_state(const struct sn_loader *loader, size_t index)
{
  const struct sn_link_origin *origin = &loader->origins[index];
  struct bpf_link_info info;

  if (!origin->link_id || link_info(loader->links[index], &info) != 0)
    return 0; /* A kernel that cannot tell. */
  if (info.prog_id != origin->program_id)
    return 2;
  return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == 0;
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
    note_origin(&loader->origins[loader->link_count], info, link);
    loader->links[loader->link_count++] = link;
    if (hook->kind == LSM)
      loader->lsm_active++;
  }
  start_keeper(loader);
  return SN_OK;
}

void sn_loader_hold(struct sn_loader *loader, int hold)
{
  sn_loader_tell(loader, hold ? "hold\n" : "go\n");
}

void sn_loader_tell(const struct sn_loader *loader, const char *line)
{
  if (loader->keeper_pipe >= 0 && write(loader->keeper_pipe, line, strlen(line)) < 0)
    return; /* The keeper is gone; what it held goes with the agent. */
}

void sn_loader_detach(struct sn_loader *loader)
{
  if (loader->control)
    __atomic_store_n(&loader->control->stopped, 1, __ATOMIC_SEQ_CST);
  for (size_t i = 0; i < loader->link_count; i++)
    bpf_link__destroy(loader->links[i]);
  loader->link_count = 0;
  /* Only now, so that the keeper is the last to hold them. Who stops the agent in order means its policies too. */
  if (loader->keeper_pipe >= 0) {
    sn_loader_hold(loader, 0);
    close(loader->keeper_pipe);
    loader->keeper_pipe = -1;
  }
}
