/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Filters, counters and the way out: what every hook uses.
 *
 * A hook takes a scratch slot, fills the fixed part, appends strings, and calls finish(), which takes the sequence
 * number, copies the record into its ring and counts. Scratch is per CPU with a few slots, claimed by compare-and-swap,
 * because a soft interrupt or a preempting task may run another hook in the middle of one. */
#ifndef SENTINEL_SENSOR_BPF_H
#define SENTINEL_SENSOR_BPF_H
#include "maps.bpf.h"

/* ---- filters ---- */

/* A device number as stat(2) encodes it. */
static __always_inline u64 encode_dev(u32 dev)
{
  u32 major = dev >> 20, minor = dev & 0xfffff;

  return (minor & 0xff) | major << 8 | (u64)(minor & ~0xffu) << 12;
}

static __always_inline struct sn_control *controls(void)
{
  u32 zero = 0;

  return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline bool is_ours(const struct sn_control *ctl, u32 tgid)
{
  return tgid == ctl->own_tgid || tgid == ctl->keeper_tgid;
}

static __always_inline bool in_selected_scope(u32 tgid)
{
  if (cfg.scope_kind == SN_SCOPE_CGROUP)
    return bpf_current_task_under_cgroup(&scope_cgroup, 0) == 1;
  if (cfg.scope_kind == SN_SCOPE_PID)
    return bpf_map_lookup_elem(&scope_pids, &tgid) != NULL;
  return true;
}

/* Whether `tgid`, the current process, is one of those watched; the agent may be. */
static __always_inline bool watched_process(u32 tgid)
{
  struct sn_control *ctl = controls();

  return ctl && !ctl->stopped && in_selected_scope(tgid);
}

/* Whether a hook that runs on behalf of `tgid`, the current process, records at all. */
static __always_inline bool in_scope(u32 tgid)
{
  struct sn_control *ctl = controls();

  return ctl && !ctl->stopped && !is_ours(ctl, tgid) && in_selected_scope(tgid);
}

static __always_inline bool current_in_scope(void)
{
  return in_scope(bpf_get_current_pid_tgid() >> 32);
}

/* Programs of cgroup hooks are attached to the scope's cgroup, so only the other filters are left. */
static __always_inline bool cgroup_hook_in_scope(struct task_struct *task)
{
  struct sn_control *ctl = controls();
  u32 tgid = task->tgid;

  if (!ctl || ctl->stopped || is_ours(ctl, tgid))
    return false;
  if (cfg.scope_kind == SN_SCOPE_PID)
    return bpf_map_lookup_elem(&scope_pids, &tgid) != NULL;
  return true;
}

static __always_inline bool current_is_noise(void)
{
  struct task_struct *task;
  struct sn_exe key = {};
  struct file *exe;

  if (!cfg.noise)
    return false;
  task = bpf_get_current_task_btf();
  if (!task->mm)
    return false;
  exe = task->mm->exe_file;
  if (!exe)
    return false;
  key.ino = BPF_CORE_READ(exe, f_inode, i_ino);
  key.dev = encode_dev(BPF_CORE_READ(exe, f_inode, i_sb, s_dev));
  return bpf_map_lookup_elem(&noise_exe, &key) != NULL;
}

static __always_inline bool over_rate(u32 tgid, u64 now)
{
  u32 slot = tgid & (SN_RATE_SLOTS - 1);
  struct rate *rate;

  if (!cfg.rate_limit)
    return false;
  rate = bpf_map_lookup_elem(&rates, &slot);
  if (!rate)
    return false;
  if (now - rate->since_ns > 1000000000ull) {
    rate->since_ns = now;
    rate->count = 0;
  }
  return __sync_fetch_and_add(&rate->count, 1) >= cfg.rate_limit;
}

/* ---- counters ---- */

static __always_inline struct sn_cpu *this_cpu(void)
{
  u32 cpu = bpf_get_smp_processor_id();

  return bpf_map_lookup_elem(&cpus, &cpu);
}

/* A record that cannot even be built: takes its sequence number, so that it is missed. */
static __always_inline void lose_blind(u32 hook)
{
  struct sn_cpu *cpu = this_cpu();

  if (!cpu)
    return;
  OPAQUE(hook);
  hook &= SN_HOOK_MAX - 1;
  __sync_fetch_and_add(&cpu->next[SN_RING_SECURITY], 1);
  __sync_fetch_and_add(&cpu->lost, 1);
  __sync_fetch_and_add(&cpu->hook[hook].lost_blind, 1);
  cpu->hook[hook].last_lost_ns = bpf_ktime_get_boot_ns();
}

static __always_inline struct scratch *claim(u32 hook)
{
  struct scratch *s;

#pragma unroll
  for (u32 i = 0; i < SN_SCRATCH_SLOTS; i++) {
    u32 slot = i;
    s = bpf_map_lookup_elem(&scratch, &slot);
    if (s && __sync_val_compare_and_swap(&s->busy, 0, 1) == 0)
      return s;
  }
  lose_blind(hook);
  return NULL;
}

static __always_inline void release(struct scratch *s)
{
  /* Only this CPU looks at it. */
  *(volatile u32 *)&s->busy = 0;
}

/* ---- the record ---- */

static __always_inline u64 cgroup_of(struct task_struct *task)
{
  return task->cgroups->dfl_cgrp->kn->id;
}

/* Starts a record about `task`: header and a zeroed fixed part of `size` bytes. */
static __always_inline void begin(struct scratch *s, u8 type, struct task_struct *task, u32 size)
{
  struct sn_header *h = (void *)s->buf;
  const struct cred *cred = task->cred;

  __builtin_memset(s->buf, 0, size);
  h->type = type;
  h->ver = SN_VERSION;
  h->ts = bpf_ktime_get_boot_ns();
  h->start = task->group_leader->start_boottime;
  h->tgid = task->tgid;
  h->tid = task->pid;
  h->uid = cred->uid.val;
  h->euid = cred->euid.val;
  h->cgroup = cgroup_of(task);
  s->off = size;
}

/* Wakes the reader if it asked for that. It asks before it looks at the rings a last time, and we look after the record
 * is in: so one of us sees the other. A wake-up needs something to commit: an empty record, discarded. */
static __always_inline void wake_reader(u32 ring, u64 n)
{
  struct sn_control *ctl = controls();
  void *nothing;

  if (!ctl)
    return;
  if (ctl->idle[ring]) {
    ctl->idle[ring] = 0;
  } else {
    u64 used;
    /* A reader that naps must be up before there is no room; how much there is, is looked at now and then. */
    if (!ctl->napping || n % SN_FILL_CHECK)
      return;
    used = ring == SN_RING_SECURITY ? bpf_ringbuf_query(&rb_sec, BPF_RB_AVAIL_DATA)
                                    : bpf_ringbuf_query(&rb_obs, BPF_RB_AVAIL_DATA);
    if (used < (ring == SN_RING_SECURITY ? SN_RING_SEC_BYTES : SN_RING_OBS_BYTES) / 4)
      return;
    ctl->napping = 0;
  }
  if (ring == SN_RING_SECURITY)
    nothing = bpf_ringbuf_reserve(&rb_sec, 8, 0);
  else
    nothing = bpf_ringbuf_reserve(&rb_obs, 8, 0);
  if (nothing)
    bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}

/* Sends the record off and gives the slot back. */
static __noinline int finish(struct scratch *s, u32 hook, u32 ring)
{
  struct sn_header *h = (void *)s->buf;
  struct sn_cpu *cpu = this_cpu();
  u32 off = s->off, len;
  u64 n;
  long err;

  OPAQUE(ring);
  OPAQUE(hook);
  ring &= 1;
  hook &= SN_HOOK_MAX - 1;
  if (!cpu || off > SN_OFF_MAX + SN_PATH_MAX)
    goto out;
  *(u64 *)(s->buf + off) = 0;
  len = (off + 7) & ~7u;
  OPAQUE(len);
  if (len > SN_RECORD_MAX || len < sizeof(*h))
    goto out;
  n = __sync_fetch_and_add(&cpu->next[ring], 1) + 1;
  h->len = len;
  h->seq = (u64)bpf_get_smp_processor_id() << 48 | (u64)ring << 40 | (n & 0xffffffffffull);
  if (ring == SN_RING_OBSERVABILITY) {
    h->flags |= SN_F_OBSERVABILITY;
    if (over_rate(h->tgid, h->ts)) {
      __sync_fetch_and_add(&cpu->hook[hook].lost_rate, 1);
      __sync_fetch_and_add(&cpu->lost, 1);
      cpu->hook[hook].last_lost_ns = h->ts;
      goto out;
    }
  }
  if (ring == SN_RING_SECURITY)
    err = bpf_ringbuf_output(&rb_sec, s->buf, len, BPF_RB_NO_WAKEUP);
  else
    err = bpf_ringbuf_output(&rb_obs, s->buf, len, BPF_RB_NO_WAKEUP);
  if (err) {
    __sync_fetch_and_add(&cpu->hook[hook].lost_full[ring], 1);
    __sync_fetch_and_add(&cpu->lost, 1);
    cpu->hook[hook].last_lost_ns = h->ts;
  } else {
    __sync_fetch_and_add(&cpu->hook[hook].emitted[ring], 1);
    wake_reader(ring, n);
  }
out:
  release(s);
  return 0;
}

/* Copies the head of a kernel structure into s->raw, for RAW. */
static __always_inline void read_raw(struct scratch *s, const void *from)
{
  bpf_probe_read_kernel(s->raw, SN_RAW_BYTES, from);
}

/* A member of the structure at `from`, whose first bytes are in the array `raw`. The offset is a constant by the time
 * the verifier sees it, so only one branch is left. */
#define RAW_FROM(raw, flavour, from, member, type)                            \
  ({                                                                          \
    type __value;                                                             \
    u32 __at = bpf_core_field_offset(flavour, member);                        \
    if (__at + sizeof(type) <= sizeof(raw))                                   \
      __value = *(type *)((raw) + __at);                                      \
    else                                                                      \
      bpf_core_read(&__value, sizeof(__value), &((flavour *)(from))->member); \
    __value;                                                                  \
  })
#define RAW(s, flavour, from, member, type) RAW_FROM((s)->raw, flavour, from, member, type)

static __always_inline void copy_comm(char *to, struct task_struct *task)
{
  bpf_probe_read_kernel(to, SN_COMM_LEN, task->comm);
}

static __always_inline void current_comm(char *to)
{
  copy_comm(to, bpf_get_current_task_btf());
}

/* ---- strings ---- */

static __always_inline void describe(struct sn_str *d, u8 kind, u32 len, u8 flags, u32 orig)
{
  d->len = len;
  d->kind = kind;
  d->flags = flags;
  d->orig = orig;
}

/* Appends a NUL-terminated string of the caller's memory. */
static __noinline int append_user(struct scratch *s, struct sn_str *d, const char *from)
{
  u32 off = s->off;
  long n;

  if (off > SN_OFF_MAX) {
    describe(d, SN_STR_PLAIN, 0, SN_STR_CUT, 0);
    return 0;
  }
  n = bpf_probe_read_user_str(s->buf + off, SN_PATH_MAX, from);
  if (n < 0) {
    describe(d, SN_STR_PLAIN, 0, SN_STR_FAULT, 0);
    return 0;
  }
  if (n > 0)
    n--;
  describe(d, SN_STR_PLAIN, n, n == SN_PATH_MAX - 1 ? SN_STR_CUT : 0, n);
  s->off = off + n;
  return 0;
}

/* Appends a NUL-terminated string of kernel memory. */
static __noinline int append_kernel(struct scratch *s, struct sn_str *d, const char *from)
{
  u32 off = s->off;
  long n;

  if (off > SN_OFF_MAX) {
    describe(d, SN_STR_PLAIN, 0, SN_STR_CUT, 0);
    return 0;
  }
  n = bpf_probe_read_kernel_str(s->buf + off, SN_PATH_MAX, from);
  if (n < 0) {
    describe(d, SN_STR_PLAIN, 0, SN_STR_FAULT, 0);
    return 0;
  }
  if (n > 0)
    n--;
  describe(d, SN_STR_PLAIN, n, n == SN_PATH_MAX - 1 ? SN_STR_CUT : 0, n);
  s->off = off + n;
  return 0;
}

#endif
