/* Loads and attaches the eBPF sensor with libbpf: what the addon and the static tool of the kernel tests share. Not
 * thread-safe, except that the mapped counters and rings may be read from anywhere. After sn_loader_attach() nothing
 * here needs a privilege any more. */
#ifndef SENTINEL_BPF_LOADER_H
#define SENTINEL_BPF_LOADER_H
#include <stddef.h>
#include <stdint.h>
#include "ring.h"
#include "sensor-abi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sn_failure {
  SN_OK = 0,
  SN_FAIL_OBJECT,     /* the object file is missing or not readable as one */
  SN_FAIL_BTF,        /* the kernel has no BTF */
  SN_FAIL_PERMISSION, /* the kernel refused: privileges, lockdown */
  SN_FAIL_SCOPE,      /* the cgroup or pid to watch does not exist */
  SN_FAIL_KERNEL      /* a hook that the sensor cannot do without did not load */
};

enum sn_hook_state { SN_HOOK_MISSING = 0, SN_HOOK_ACTIVE, SN_HOOK_REPLACED };

struct sn_hook_info {
  uint32_t id;
  const char *name;
  const char *attach; /* tp_btf, tracepoint, cgroup, lsm, fentry, iter */
  enum sn_hook_state state;
  char detail[160];
};

struct sn_watch {
  const char *name;
  uint32_t bits;
};

struct sn_loader_options {
  const char *object_path;
  struct sn_config config; /* scope_cgroup is filled in from cgroup_path */
  const char *cgroup_path; /* scope cgroup: below a cgroup2 mount, or relative to its root; NULL = the root */
  uint32_t scope_pid;
  const char *keeper_tag; /* last argument of the keeper, so that a successor finds it; NULL = none */
  const struct sn_watch *watches;
  size_t watch_count;
  const struct sn_exe *noise; /* dev as stat(2) gives it */
  size_t noise_count;
};

struct sn_link_origin {
  const struct sn_hook_info *hook;
  uint32_t link_id;
  uint32_t program_id;
};

struct sn_loader {
  struct bpf_object *object;
  struct bpf_link **links;
  struct sn_link_origin *origins; /* of each link, when it was attached */
  size_t link_count;
  struct sn_hook_info *hooks;
  size_t hook_count;
  struct sn_ring rings[2];
  struct sn_cpu *cpus;
  size_t cpu_count;
  struct sn_control *control;
  struct sn_config config;
  int cgroup_fd;
  int tracefs_fd;
  int lsm_active;
  int keeper_pipe; /* the keeper ends when this is closed */
  int keeper_pid;
  char keeper_tag[512];
  char error[512];
};

/* Loads the object and maps rings and counters; on failure `error` says what happened in words. */
enum sn_failure sn_loader_load(struct sn_loader *loader, const struct sn_loader_options *options);

/* Attaches every hook that can be; `hooks` then tells which. Also starts the keeper (bpf-attach.c). */
enum sn_failure sn_loader_attach(struct sn_loader *loader);

/* Snapshot records of the processes in scope, into a buffer the caller frees. Returns its length, or a negative errno. */
long sn_loader_snapshot(struct sn_loader *loader, uint8_t **bytes);

/* Stops recording at once; rings and counters stay readable. */
void sn_loader_detach(struct sn_loader *loader);

/* Whether a link is still what it was: 0 attached, 1 taken out of the kernel, 2 another program runs in its place. */
int sn_loader_link_state(const struct sn_loader *loader, size_t index);

/* Whether the keeper goes on holding the hooks once the agent is gone: policies that fail closed stay in force. */
void sn_loader_hold(struct sn_loader *loader, int hold);

/* A line for the keeper: "hold", "go", "frozen FILE" (it writes 0 there when the agent ends), or "thawed" (to none). */
void sn_loader_tell(const struct sn_loader *loader, const char *line);

void sn_loader_close(struct sn_loader *loader);

#ifdef __cplusplus
}
#endif
#endif
