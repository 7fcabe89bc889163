/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel guardian: sets of executables and destinations that policies forbid, and who is beyond their reach.
 *
 * The maps are empty unless a policy is in force, and control.policies says which are not: without one a hook pays for
 * one load. Every match leaves a record with the handle of the policy, also when nothing was done and why. */
#ifndef SENTINEL_POLICY_BPF_H
#define SENTINEL_POLICY_BPF_H
#include "rare.bpf.h"

#define SN_SIGKILL 9
#define SN_EPERM 1
#define SN_TICK_NS 10000000 /* a clock tick of /proc */

/* Executables by identity and version: what user space found to have a denied content. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct sn_exe);
  __type(value, struct sn_exe_verdict);
} pol_exe SEC(".maps");

/* Executables by path: whatever lies there. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, struct sn_policy_path);
  __type(value, struct sn_verdict);
} pol_path SEC(".maps");

/* … and below a directory. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1024);
  __type(key, struct sn_policy_path);
  __type(value, struct sn_verdict);
} pol_dir SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, struct sn_net_key);
  __type(value, struct sn_net_rules);
} pol_net SEC(".maps");

/* Processes that no policy may touch, with their start in clock ticks, which is what /proc tells: a pid that is used again
 * is somebody else. With SN_GUARD_LIFE_ONLY they may not be ended, but refused what they ask for. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u32);
  __type(value, u64);
} guard_tgid SEC(".maps");

/* Executables that no policy may deny. By identity: a path can be covered by a mount of one's own. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct sn_exe);
  __type(value, u32);
} guard_exe SEC(".maps");

/* Processes that are cut off from the network: written by user space, inherited at a fork, left at the exit. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, SN_CUT_LEAST); /* more where there can be more processes, see bpf-loader.c */
  __type(key, u32);
  __type(value, struct sn_cut);
} cut_tgid SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, struct sn_cut_net_key);
  __type(value, u32);
} cut_net SEC(".maps");

static __always_inline bool policies_about(u32 kinds)
{
  struct sn_control *ctl = controls();

  return ctl && ctl->policies & kinds;
}

/* What cuts a process off from the network; NULL when nothing does. */
static __always_inline struct sn_cut *cut_of(struct task_struct *task)
{
  u32 tgid = task->tgid;
  struct sn_cut *cut;

  if (!policies_about(SN_POLICIES_CUT))
    return NULL;
  cut = bpf_map_lookup_elem(&cut_tgid, &tgid);
  if (!cut || cut->start != task->group_leader->start_boottime / SN_TICK_NS ||
      bpf_ktime_get_boot_ns() > cut->until_ns)
    return NULL;
  return cut;
}

/* Before the child runs. */
static __always_inline void inherit_cut(struct task_struct *parent, struct task_struct *child)
{
  struct sn_cut *cut = cut_of(parent), own;
  struct sn_control *ctl = controls();
  u32 tgid = child->tgid;

  if (!cut)
    return;
  own = *cut;
  own.start = child->start_boottime / SN_TICK_NS;
  if (bpf_map_update_elem(&cut_tgid, &tgid, &own, BPF_ANY) && ctl)
    __sync_fetch_and_add(&ctl->cuts_lost, 1);
}

/* Looks up the directory whose path begins after the NUL at this place, if there is one. */
static long directory_step(u32 index, struct scratch **context)
{
  struct scratch *s = *context;
  struct walk *w = &s->walk;
  u32 at = w->position + index, left;
  struct sn_verdict *found;

  if (at >= w->end || at > SN_OFF_MAX + SN_PATH_MAX)
    return 1;
  if (s->buf[at])
    return 0;
  left = w->end - at - 1;
  if (left == 0 || left >= SN_POLICY_PATH_MAX)
    return 0;
  __builtin_memset(&s->key, 0, sizeof(s->key));
  OPAQUE(left);
  left &= SN_POLICY_PATH_MAX - 1;
  bpf_probe_read_kernel(s->key.text, left, s->buf + at + 1);
  found = bpf_map_lookup_elem(&pol_dir, &s->key);
  if (!found)
    return 0;
  s->verdict = *found;
  return 1;
}

/* Whether a policy denies the executable whose identity is in s->id and whose path was appended last; s->verdict. */
static __noinline int judge_executable(struct scratch *s)
{
  struct scratch *context = s;
  struct walk *w = &s->walk;
  struct sn_exe key = {.dev = s->id.dev, .ino = s->id.ino};
  struct sn_exe_verdict *version;
  u32 length = s->off - w->start;

  s->verdict.handle = 0;
  version = bpf_map_lookup_elem(&pol_exe, &key);
  if (version && version->size == s->id.size && version->ctime == s->id.ctime) {
    s->verdict = version->verdict;
    return 1;
  }
  /* A path that was cut has another beginning than it seems. */
  if (w->cut || !w->done)
    return 0;
  if (length > 0 && length < SN_POLICY_PATH_MAX && w->start <= SN_OFF_MAX) {
    struct sn_verdict *found;
    __builtin_memset(&s->key, 0, sizeof(s->key));
    OPAQUE(length);
    length &= SN_POLICY_PATH_MAX - 1;
    bpf_probe_read_kernel(s->key.text, length, s->buf + w->start);
    found = bpf_map_lookup_elem(&pol_path, &s->key);
    if (found) {
      s->verdict = *found;
      return 1;
    }
  }
  if (!policies_about(SN_POLICIES_DIR))
    return 0;
  w->end = s->off;
  w->position = s->off - w->start > SN_POLICY_PATH_MAX ? s->off - SN_POLICY_PATH_MAX : w->start;
  bpf_loop(SN_POLICY_PATH_MAX, directory_step, &context, 0);
  return s->verdict.handle != 0;
}

/* Whether a policy may act on `task` at all: end it, or only refuse what it asks for. */
static __always_inline u32 judge_process(const struct sn_verdict *verdict, struct task_struct *task, bool ends)
{
  struct sn_control *ctl = controls();
  u32 tgid = task->tgid;
  u64 *start;

  if (!ctl)
    return SN_AGENT_SILENT;
  __sync_fetch_and_add(&ctl->acts, 1);
  start = bpf_map_lookup_elem(&guard_tgid, &tgid);
  if (tgid == 1 || task->flags & PF_KTHREAD || is_ours(ctl, tgid) ||
      (start && (*start & ~SN_GUARD_LIFE_ONLY) == task->group_leader->start_boottime / SN_TICK_NS &&
       (ends || !(*start & SN_GUARD_LIFE_ONLY))))
    return SN_PROTECTED_PROCESS;
  if (!(verdict->flags & SN_VERDICT_FAIL_CLOSED) && bpf_ktime_get_boot_ns() - ctl->heartbeat_ns > ctl->silent_ns)
    return SN_AGENT_SILENT;
  return SN_APPLIED;
}

/* Like judge_process, for a process that executes the file in s->id. */
static __always_inline u32 judge_caller(struct scratch *s, struct task_struct *task)
{
  struct sn_exe key = {.dev = s->id.dev, .ino = s->id.ino};

  if (bpf_map_lookup_elem(&guard_exe, &key))
    return SN_PROTECTED_EXECUTABLE;
  return judge_process(&s->verdict, task, true);
}

static __noinline int record_policy_exec(u32 hook, u32 handle, u32 mechanism, u32 outcome, struct file *exe)
{
  struct scratch *s = begin_rare(hook, SN_POLICY_EXEC);
  struct sn_rare *r;

  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = handle;
  r->a[1] = mechanism;
  r->a[2] = outcome;
  r->a[3] = BPF_CORE_READ(exe, f_inode, i_ino);
  append_file_path(s, &r->s1, exe);
  return finish(s, hook, SN_RING_SECURITY);
}

/* Whether the process is cut off from a destination; then `verdict` says by which policy. */
static __always_inline bool judge_cut(const struct sn_net_key *destination, struct task_struct *task,
                                      struct sn_verdict *verdict)
{
  struct sn_cut_net_key key = {.prefix = 160};
  struct sn_cut *cut = cut_of(task);

  if (!cut)
    return false;
  key.handle = cut->verdict.handle;
  __builtin_memcpy(key.address, destination->address, sizeof(key.address));
  if (bpf_map_lookup_elem(&cut_net, &key))
    return false;
  *verdict = cut->verdict;
  return true;
}

/* Finds the rule that denies a destination. Returns false when there is none. */
static __always_inline bool judge_destination(const struct sn_net_key *key, u16 port, u32 protocol,
                                              struct sn_verdict *verdict)
{
  struct sn_net_rules *rules = bpf_map_lookup_elem(&pol_net, key);

  if (!rules)
    return false;
#pragma unroll
  for (u32 i = 0; i < SN_NET_RULES; i++) {
    struct sn_net_rule *rule = &rules->rule[i];
    if (!rule->verdict.handle)
      return false;
    if (port >= rule->from && port <= rule->to && (!rule->protocol || rule->protocol == protocol)) {
      *verdict = rule->verdict;
      return true;
    }
  }
  return false;
}

#endif
