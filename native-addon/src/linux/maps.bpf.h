/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Memory of the eBPF side: configuration, scratch space, rings, counters, and the sets that user space fills. */
#ifndef SENTINEL_MAPS_BPF_H
#define SENTINEL_MAPS_BPF_H
#include "vmlinux-subset.h"
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "sensor-abi.h"
#include "hooks.h"

#define SN_SCRATCH_SLOTS 4
/* The last string may start here and be SN_PATH_MAX long. */
#define SN_OFF_MAX 17408
#define SN_SCRATCH_BYTES (SN_OFF_MAX + SN_PATH_MAX + 8)

/* Bytes of a kernel structure that are copied at once, to be taken apart here: one copy costs as much as one field. */
#define SN_RAW_BYTES 128

/* One record in this many looks at how full its ring is. */
#define SN_FILL_CHECK 64

#define PF_KTHREAD 0x00200000

/* Keeps the compiler from reasoning about a value, so that a bound which it thinks redundant stays for the verifier. */
#define OPAQUE(value) asm volatile("" : "+r"(value))

struct walk {
  struct dentry *dentry;
  struct vfsmount *mnt;
  struct dentry *root; /* of mnt */
  u32 start;
  u32 orig;
  u32 count; /* components so far */
  u32 cut;
  /* Watch bits of the leaf, its directory, the component nearest the root, and all of them together. */
  u32 leaf;
  u32 directory;
  u32 top;
  u32 any;
  u32 done;
  u32 position; /* scan of a plain path: bytes of the component so far */
  u32 end;
  u32 dots;
  struct sn_name key;
};

/* What identifies a file and its version, wherever this kernel keeps it. */
struct identity {
  u64 dev;
  u64 ino;
  u64 size;
  u64 mtime;
  u64 ctime;
  u32 mode;
  u32 nlink;
  u32 uid;
  u32 magic;
};

/* Position in a descriptor table. */
struct fd_walk {
  u64 word;  /* open descriptors of the current group of 64 not yet looked at */
  u32 base;  /* first descriptor of the next group */
  u32 first;
  u32 last;
  u32 limit; /* size of the table */
  u64 open_fds;
  u64 files;
  u32 hook;
};

struct scratch {
  u32 busy;
  u32 off;
  struct walk walk;
  struct fd_walk fds;
  struct identity id;
  struct sn_verdict verdict;
  struct sn_policy_path key;
  char raw[SN_RAW_BYTES] __attribute__((aligned(8)));
  char buf[SN_SCRATCH_BYTES];
};

const volatile struct sn_config cfg SEC(".rodata.cfg") = {};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, SN_RING_SEC_BYTES);
} rb_sec SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, SN_RING_OBS_BYTES);
} rb_obs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, SN_SCRATCH_SLOTS);
  __type(key, u32);
  __type(value, struct scratch);
} scratch SEC(".maps");

/* One value per possible CPU; the loader sets max_entries. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, SN_CPU_MAX);
  __type(key, u32);
  __type(value, struct sn_cpu);
} cpus SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct sn_control);
} control SEC(".maps");

/* Scope pid:N: that process and what it forked since. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, u32);
  __type(value, u32);
} scope_pids SEC(".maps");

/* Scope cgroup:PATH. */
struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(u32));
} scope_cgroup SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct sn_name);
  __type(value, u32);
} watch_names SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, struct sn_exe);
  __type(value, u32);
} noise_exe SEC(".maps");

/* Allowance of the processes whose pids are equal modulo SN_RATE_SLOTS: they share it, which is coarse, bounded and
 * cheap. */
#define SN_RATE_SLOTS 4096
struct rate {
  u64 since_ns;
  u64 count;
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SN_RATE_SLOTS);
  __type(key, u32);
  __type(value, struct rate);
} rates SEC(".maps");

#endif
