/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Sensor record, version 1: what every sensor emits and what the log stores (schema sensorV1).
 *
 * Shared by the eBPF programs, the native reader and, by hand, agent/sensors/layout.ts (a test compares the two).
 *
 * Layout: little-endian, 8-aligned. One record = sn_header, a body by type, then the bytes of its strings in the
 * order of their sn_str descriptors, without padding between them, and zeroes up to a multiple of 8. `len` counts all
 * of it. A version stays readable for ever: a changed body gets a new `ver`, a new meaning gets a new type number.
 *
 * Limits: paths 4096 bytes, argv 4096 bytes in total, other strings as noted; one record at most 20 KiB.
 *
 * Strings: bytes as the kernel has them, not necessarily UTF-8. The decoder replaces invalid bytes by U+FFFD and
 * names the field in `truncated` with the original length in bytes, the same way as a field that was cut: `orig` is
 * the length in bytes before the cut (a lower bound where the walk itself stopped, see SN_STR_DEEP).
 *
 * Invariants: `ts` is CLOCK_BOOTTIME at collection; `seq` grows by one per CPU and ring for each record the sensor
 * tried to emit, also when there was no room, so a hole in it is a lost record; seq 0 means "made in user space".
 * The header names the process a record is about: the child of a fork, otherwise the caller.
 * An id, mode or open flags that are unknown are 0xffffffff; a time, inode or device that is unknown is 0; an
 * unknown file size is all ones.
 */
#ifndef SENTINEL_EVENTS_H
#define SENTINEL_EVENTS_H

#include <linux/types.h>

#define SN_VERSION 1
#define SN_COMM_LEN 16
#define SN_PATH_MAX 4096
#define SN_ARGV_MAX 4096
#define SN_RECORD_MAX 20480
#define SN_UNKNOWN_ID 0xffffffffu

/* Record types. The body that follows the header is given at the right. */
enum sn_type {
  SN_FORK = 1,     /* sn_fork */
  SN_EXEC = 2,     /* sn_proc */
  SN_EXIT = 3,     /* sn_exit */
  SN_SNAPSHOT = 4, /* sn_proc: a process that already ran when the sensor started */

  SN_FILE_OPEN = 10, /* sn_file, here to SN_MKNOD */
  SN_FILE_CLOSE_WRITE = 11,
  SN_RENAME = 12,   /* path = new, path2 = old */
  SN_UNLINK = 13,
  SN_LINK = 14,     /* path = new, path2 = existing */
  SN_SYMLINK = 15,  /* path = new, path2 = text of the link, as given */
  SN_MKDIR = 16,
  SN_RMDIR = 17,
  SN_CHMOD = 18,    /* mode = new mode */
  SN_CHOWN = 19,    /* arg = uid << 32 | gid */
  SN_TRUNCATE = 20, /* size = new length */
  SN_UTIME = 21,    /* mtime = time set, 0 for "now" */
  SN_SETXATTR = 22, /* path2 = attribute name */
  SN_MKNOD = 23,

  SN_CONNECT = 40, /* sn_net, here to SN_DNS_QUERY */
  SN_ACCEPT = 41,
  SN_LISTEN = 42,
  SN_NET_CLOSE = 43, /* bytes and duration of a connection that ended */
  SN_UDP_SEND = 44,
  SN_DNS_QUERY = 45,
  SN_UNIX_CONNECT = 46,  /* sn_rare, here to SN_VSOCK_CONNECT. s1 path, s2 abstract name, ret,
                          * a0 1 if s1 is as given, then s3 the directory it starts from */
  SN_SOCKET = 47,        /* a0 family, a1 type, a2 protocol, ret fd */
  SN_VSOCK_CONNECT = 48, /* a0 context id, a1 port, ret */
  SN_POLICY_CONNECT = 49, /* sn_net: a policy refused it, or would have: see `outcome` */

  SN_PTRACE = 60,       /* sn_rare, here on. a0 request */
  SN_VM_WRITE = 61,     /* process_vm_writev; ret bytes */
  SN_MEMFD_CREATE = 62, /* s1 name, a0 flags, ret fd */
  SN_MMAP_WX = 63,      /* a0 address, a1 length, a2 prot, a3 flags, s1 mapped file */
  SN_MPROTECT_WX = 64,  /* a0 address, a1 length, a2 prot */
  SN_BPF = 65,          /* a0 command, a1 program or map type, s1 name */
  SN_INIT_MODULE = 66,  /* a0 bytes, s2 parameters */
  SN_FINIT_MODULE = 67, /* s1 file, s2 parameters, a0 flags */
  SN_DELETE_MODULE = 68, /* s1 name, a0 flags */
  SN_SETUID = 69,       /* a0 real, a1 effective, a2 saved (after), a3 real, a4 effective (before), a5 syscall nr */
  SN_SETGID = 70,       /* likewise */
  SN_CAPSET = 71,       /* a0 effective, a1 permitted (after), a2 effective, a3 permitted (before) */
  SN_MOUNT = 72,        /* s1 source, s2 target, s3 file system, a0 flags */
  SN_UMOUNT = 73,       /* s2 target, a0 flags */
  SN_UNSHARE = 74,      /* a0 flags */
  SN_SETNS = 75,        /* a0 type */
  SN_IO_URING = 76,     /* a0 opcode, a1 fd, s1 file of fd */
  SN_KILL = 77,         /* a0 signal; only to another process */
  SN_CHROOT = 78,       /* s1 path; as given where it failed */
  SN_PIVOT_ROOT = 79,   /* s1 new root */
  SN_KEXEC = 80,        /* a0 flags */
  SN_MPROTECT_X = 81,   /* a0 address, a1 length, a2 prot, a3 such calls of the process so far, s1 mapped file */
  SN_MMAP_X = 82,       /* code of a file that can still be written; as SN_MPROTECT_X */
  SN_SYSCALL32 = 83,    /* a0 number in the 32-bit table, a1 to a5 the first arguments, ret */
  SN_POLICY_EXEC = 84,   /* a0 policy handle, a1 sn_mechanism, a2 sn_outcome, a3 inode, s1 executable */
  SN_POLICY_OPEN = 85,   /* likewise; made in user space */
  SN_TYPE_MAX = 127
};

/* What stopped it, and whether it did. */
enum sn_mechanism { SN_BY_SIGNAL = 1, SN_BY_LSM = 2, SN_BY_CGROUP = 3, SN_BY_FANOTIFY = 4, SN_BY_PIDFD = 5 };
enum sn_outcome {
  SN_APPLIED = 0,
  SN_PROTECTED_PROCESS = 1,    /* no policy may touch this process */
  SN_PROTECTED_EXECUTABLE = 2, /* … or this executable */
  SN_AGENT_SILENT = 3,         /* the policy fails open and the agent gave no sign of life */
  SN_NOT_DELIVERED = 4         /* the kernel refused the signal */
};

/* sn_header.flags. Bit 15 for all types, the rest by body. */
#define SN_F_OBSERVABILITY 0x8000 /* lane; clear = security */
/* sn_proc */
#define SN_F_EXE_DELETED 0x0001
#define SN_F_EXE_MEMFD 0x0002
#define SN_F_EXE_SETUID 0x0004
#define SN_F_EXE_SETGID 0x0008
#define SN_F_SCRIPT 0x0010
#define SN_F_KTHREAD 0x0020
#define SN_F_EXE_WRITABLE_DIR 0x0040 /* the directory of the executable is writable by everyone */
/* sn_file */
#define SN_F_CREATED 0x0001
#define SN_F_FD_ARG 0x0002  /* the syscall named the file by descriptor */
#define SN_F_DELETED 0x0004 /* the inode has no link left */
#define SN_F_MEMFD 0x0008
#define SN_F_WATCHED 0x0010 /* a watched name is in the path */
/* A `path` that starts with "/" while `base` is set is below `base`: the root of a process that changed it. */
/* sn_net */
#define SN_F_NONBLOCK 0x0001 /* connect seen at its attempt, outcome not yet known */

/* How the bytes of a string are to be read. */
enum sn_str_kind {
  SN_STR_NONE = 0,       /* absent */
  SN_STR_PLAIN = 1,      /* the bytes */
  SN_STR_COMPONENTS = 2, /* path components, leaf first, each ended by a NUL; none = "/" */
  SN_STR_ARGV = 3,       /* arguments, each ended by a NUL */
  SN_STR_DNS = 4         /* a question section: name in wire form, type and class; qtype is then 0 */
};
#define SN_STR_CUT 0x01      /* bytes are missing at the end (components: towards the root) */
#define SN_STR_REPLACED 0x02 /* invalid bytes were already replaced by who made the record */
#define SN_STR_DEEP 0x04     /* the walk stopped at its depth limit: `orig` is a lower bound */
#define SN_STR_FAULT 0x08    /* the caller's memory could not be read */

struct sn_str {
  __u16 len; /* stored bytes */
  __u8 kind;
  __u8 flags;
  __u32 orig; /* bytes before the cut */
};

struct sn_header {
  __u32 len;
  __u8 type;
  __u8 ver;
  __u16 flags;
  __u64 ts;
  __u64 seq;   /* cpu << 48 | ring << 40 | n; ring 0 = rb_sec, 1 = rb_obs */
  __u64 start; /* start_boottime of the thread group leader */
  __u32 tgid;
  __u32 tid;
  __u32 uid;
  __u32 euid;
  __u64 cgroup; /* cgroup v2 id, 0 unknown */
};

struct sn_fork {
  struct sn_header h;
  __u64 parent_start;
  __u64 creator_start;
  __u32 ppid;        /* real parent: differs from the creator under CLONE_PARENT */
  __u32 creator_pid;
  char comm[SN_COMM_LEN];
};

struct sn_exit {
  struct sn_header h;
  __u32 status; /* as wait(2) gives it */
  __u32 ppid;
  char comm[SN_COMM_LEN];
};

struct sn_proc {
  struct sn_header h;
  __u64 parent_start;
  __u64 exe_ino;
  __u64 exe_dev; /* encoded like st_dev; of the superblock, so not equal to st_dev on btrfs and overlayfs */
  __u64 exe_size;
  __u64 exe_mtime;
  __u64 exe_ctime;
  __u64 cap_effective;
  __u32 ppid;
  __u32 gid;
  __u32 egid;
  __u32 loginuid;
  __u32 session; /* audit session */
  __u32 exe_mode;
  __u32 exe_uid;
  __u32 tty; /* encoded like st_rdev, 0 = none */
  __u32 ns_pid;
  __u32 ns_mnt;
  __u32 ns_net;
  __u32 ns_user;
  __u32 ns_tgid; /* pid inside its own pid namespace */
  __u32 sid;     /* POSIX session leader */
  char comm[SN_COMM_LEN];
  struct sn_str filename; /* as passed to execve: for a script, the script; at most 4096 */
  struct sn_str exe;
  struct sn_str cwd;
  struct sn_str argv;
  struct sn_str cgroup_path; /* at most 512 */
};

struct sn_file {
  struct sn_header h;
  __u64 ino;
  __u64 dev;
  __u64 size;
  __u64 mtime;
  __u64 ctime;
  __u64 arg;
  __u32 mode;
  __u32 oflags;
  __s32 fd; /* -1 unknown */
  __u32 aux;
  char comm[SN_COMM_LEN];
  struct sn_str path;
  struct sn_str base; /* directory that a relative `path` starts from */
  struct sn_str path2;
  struct sn_str base2;
};

#define SN_DIR_OUT 1
#define SN_DIR_IN 2
#define SN_DIR_LISTEN 3
#define SN_VERDICT_ALLOWED 1
#define SN_VERDICT_DENIED 2

struct sn_net {
  struct sn_header h;
  __u64 bytes_sent;
  __u64 bytes_received;
  __u64 duration_ns;
  __u8 saddr[16]; /* IPv4 in the first four bytes */
  __u8 daddr[16];
  __u16 sport; /* host order, 0 unknown */
  __u16 dport;
  __u8 family; /* AF_INET, AF_INET6 */
  __u8 protocol;
  __u8 direction;
  __u8 verdict;
  __u32 netns;
  __s32 error; /* negative errno of a connect that failed */
  __u16 qtype;
  __u16 outcome; /* SN_POLICY_CONNECT: sn_outcome */
  __u32 policy;  /* … and the handle of the policy */
  char comm[SN_COMM_LEN];
  struct sn_str query; /* presentation form without the last dot, at most 1024; or as on the wire (SN_STR_DNS) */
};

struct sn_rare {
  struct sn_header h;
  __u64 target_start;
  __u32 target_pid; /* 0 = none */
  __u32 target_uid;
  __u64 a[6];
  __s64 ret;
  char comm[SN_COMM_LEN];
  char target_comm[SN_COMM_LEN];
  struct sn_str s1;
  struct sn_str s2;
  struct sn_str s3;
};

#endif
