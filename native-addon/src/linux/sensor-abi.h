/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the eBPF programs and the loader share besides records: configuration, counters, watched names, hooks. Not
 * stored anywhere, so free to change. */
#ifndef SENTINEL_SENSOR_ABI_H
#define SENTINEL_SENSOR_ABI_H
#include <linux/types.h>
#include "events.h"

#define SN_RING_SECURITY 0
#define SN_RING_OBSERVABILITY 1
#define SN_RING_SEC_BYTES (4 * 1024 * 1024)
#define SN_RING_OBS_BYTES (8 * 1024 * 1024)
#define SN_CPU_MAX 512
#define SN_HOOK_MAX 128
#define SN_NAME_MAX 32

#define SN_SCOPE_HOST 0
#define SN_SCOPE_CGROUP 1
#define SN_SCOPE_PID 2

/* .rodata of the object: fixed before load, so that the verifier drops what is off. */
struct sn_config {
  __u64 scope_cgroup; /* cgroup v2 id */
  __u32 scope_kind;
  __u32 read_opens;   /* also record every read-only open of a regular file */
  __u32 rate_limit;   /* observability records per process and second, 0 = none */
  __u32 noise;        /* noise_exe has entries */
  __u32 writes_by_fput; /* fentry/__fput attached: the close tracepoints are not */
  __u32 opens_by_lsm;   /* lsm/file_open attached: no call says what it opened */
  __u32 no_modules;     /* the kernel has no module loader, so its calls have no tracepoint */
  __u32 no_kexec;       /* likewise */
  /* By length of a watched name: bit (first byte & 63). Most names are ruled out without a look into watch_names. */
  __u64 watch_heads[SN_NAME_MAX];
};

/* Value of the memory-mapped `control` map. */
struct sn_control {
  __u32 idle[2]; /* by ring: the next record wakes the reader. Kernel clears, reader sets, here and below. */
  __u32 stopped;  /* nothing is recorded any more; detaching takes seconds */
  __u32 own_tgid; /* never recorded; 0 until snapshot_tasks ran, which knows it in any pid namespace */
  __u32 spawning; /* the next child of own_tgid is the keeper */
  __u32 napping; /* a ring that is a quarter full wakes the reader */
  __u32 keeper_tgid; /* process that keeps the hooks for us: not recorded either */
  __u32 policies; /* SN_POLICIES_*: which policy maps have entries. 0: nothing is looked up, nothing can act */
  __u64 root_mnt; /* root directory of the agent: paths of who has the same need no prefix */
  __u64 root_dentry;
  __u64 heartbeat_ns; /* CLOCK_BOOTTIME of the agent's last sign of life */
  __u64 silent_ns;    /* age of it from which policies that fail open no longer act */
  __u64 acts;         /* by policies, whatever their outcome */
  __u64 cuts_lost;    /* children of processes in cut_tgid for which it had no room */
};

/* In a value of guard_tgid: see there. */
#define SN_GUARD_LIFE_ONLY (1ull << 63)

#define SN_POLICIES_EXE 0x1
#define SN_POLICIES_PATH 0x2
#define SN_POLICIES_DIR 0x4
#define SN_POLICIES_NET 0x8
#define SN_POLICIES_CUT 0x10
#define SN_POLICIES_EXEC (SN_POLICIES_EXE | SN_POLICIES_PATH | SN_POLICIES_DIR)

/* Key of pol_path and pol_dir: components leaf first, each ended by a NUL, zero-padded; /a/b is "b\0a\0". */
#define SN_POLICY_PATH_MAX 256
struct sn_policy_path {
  char text[SN_POLICY_PATH_MAX];
};

#define SN_VERDICT_FAIL_CLOSED 1
struct sn_verdict {
  __u32 handle; /* of the policy, never 0 */
  __u32 flags;
};

/* Value of pol_exe (key sn_exe): this version of the file only, an edit changes ctime. */
struct sn_exe_verdict {
  __u64 size;
  __u64 ctime; /* ns since the epoch */
  struct sn_verdict verdict;
};

/* pol_net: IPv4 as ::ffff:a.b.c.d. An entry carries the rules of the shorter prefixes around it too. */
struct sn_net_key {
  __u32 prefix;
  __u8 address[16];
};
#define SN_NET_RULES 8
struct sn_net_rule {
  __u16 from; /* ports, host order, inclusive */
  __u16 to;
  __u32 protocol; /* 6, 17, 0 = any */
  struct sn_verdict verdict;
};
struct sn_net_rules {
  struct sn_net_rule rule[SN_NET_RULES]; /* the first with handle 0 ends the list */
};

/* Entries of cut_tgid: as many as the machine can have processes, within these. */
#define SN_CUT_LEAST 16384
#define SN_CUT_MOST 262144
/* Value of cut_tgid (key: tgid): a process that is cut off from the network. Its children get the same. */
struct sn_cut {
  __u64 start;    /* of the process, in clock ticks since boot: a pid that is used again is somebody else */
  __u64 until_ns; /* CLOCK_BOOTTIME */
  __u32 root;     /* pid of the process that was cut off first */
  __u32 pad;
  struct sn_verdict verdict;
};
/* Key of cut_net: destinations that stay open to whom this policy cuts off. IPv4 as ::ffff:a.b.c.d. */
struct sn_cut_net_key {
  __u32 prefix; /* 32 more than the network's */
  __u32 handle;
  __u8 address[16];
};

/* Counters of one hook on one CPU. emitted + lost_* = records the hook tried to emit. */
struct sn_hook_counter {
  __u64 emitted[2];  /* by ring */
  __u64 lost_full[2];
  __u64 lost_rate;   /* observability only */
  __u64 lost_blind;  /* no room to build or to remember: scratch, flows, scope */
  __u64 last_lost_ns;
  __u64 reserved;
};

/* Value of the memory-mapped `cpus` map, one per CPU. */
struct sn_cpu {
  __u64 next[2]; /* by ring: sequence number of the last record tried */
  __u64 lost;    /* all losses on this CPU */
  __u64 alive;   /* runs of the fork hook, for threads and whom nobody watches too; none while `stopped` */
  struct sn_hook_counter hook[SN_HOOK_MAX];
};

/* Key of `watch_names`: one path component, zero-padded. Value: bits below. */
struct sn_name {
  char text[SN_NAME_MAX];
};
#define SN_WATCH_READ_LEAF 0x01 /* also record read-only opens of files with this name */
#define SN_WATCH_READ_DIR 0x02  /* … of files directly in directories with this name */
#define SN_WATCH_SEC_LEAF 0x04  /* changes to files with this name belong to the security lane */
#define SN_WATCH_SEC_DIR 0x08   /* … to anything below directories with this name */
#define SN_WATCH_SEC_TOP 0x10   /* … if the directory is in the root */
#define SN_WATCH_READ_PROC 0x20 /* like READ_LEAF, but only on procfs */

/* Key of `noise_exe`: executables whose observability records are not wanted. */
struct sn_exe {
  __u64 dev;
  __u64 ino;
};

/* Attach cookie of a system call: where its arguments are. 15 = none. */
#define SN_NO_ARG 15
#define SN_EXTRA_NONE 0
#define SN_EXTRA_MODE 1
#define SN_EXTRA_OWNER 2
#define SN_EXTRA_LENGTH 3
#define SN_EXTRA_TIMESPEC 4
#define SN_EXTRA_TIMEVAL 5
#define SN_EXTRA_UTIMBUF 6
#define SN_EXTRA_ATTRIBUTE 7
#define SN_EXTRA_REMOVEDIR 8
#define SN_COOKIE_COMPAT (1ull << 63) /* the arguments are those of a 32-bit call */
#define SN_COOKIE_SWAP (1ull << 62)   /* the other half of an exchange of two names */
#define SN_COOKIE(hook, type, dfd, path, dfd2, path2, extra, arg)                                        \
  ((__u64)(hook) | (__u64)(type) << 8 | (__u64)(dfd) << 16 | (__u64)(path) << 20 | (__u64)(dfd2) << 24 | \
   (__u64)(path2) << 28 | (__u64)(extra) << 32 | (__u64)(arg) << 36)

#endif
