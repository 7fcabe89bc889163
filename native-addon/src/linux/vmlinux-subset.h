/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel structures that the sensor reads, only the members it reads, written by hand. preserve_access_index lets
 * the loader fix every offset against the running kernel's BTF, so neither bpftool nor kernel headers are needed and
 * one object serves all kernels. `___name` suffixes are variants of one struct across kernel versions (CO-RE ignores
 * what follows three underscores); the version in the comment is the first with that shape. */
#ifndef SENTINEL_VMLINUX_SUBSET_H
#define SENTINEL_VMLINUX_SUBSET_H
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
  struct list_head *next;
};

typedef struct {
  int counter;
} atomic_t;
typedef struct {
  s64 counter;
} atomic64_t;
typedef struct {
  unsigned int val;
} kuid_t;
typedef struct {
  unsigned int val;
} kgid_t;
typedef struct {
  u64 val;
} kernel_cap_t;
struct kernel_cap_struct___old { /* before 6.3 */
  u32 cap[2];
};

struct ns_common {
  unsigned int inum;
};
struct user_namespace {
  struct ns_common ns;
};
struct pid_namespace {
  struct ns_common ns;
};
struct mnt_namespace {
  struct ns_common ns;
};
struct net {
  struct ns_common ns;
};
struct nsproxy {
  struct mnt_namespace *mnt_ns;
  struct net *net_ns;
};
struct upid {
  int nr;
  struct pid_namespace *ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[1];
};

struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t suid;
  kgid_t sgid;
  kuid_t euid;
  kgid_t egid;
  kernel_cap_t cap_permitted;
  kernel_cap_t cap_effective;
  struct user_namespace *user_ns;
};

struct timespec64 {
  s64 tv_sec;
  long tv_nsec;
};

struct super_block {
  u32 s_dev;
  unsigned long s_magic;
};

struct inode {
  u16 i_mode;
  kuid_t i_uid;
  struct super_block *i_sb;
  unsigned long i_ino;
  unsigned int i_nlink;
  s64 i_size;
  struct address_space *i_mapping;
};
struct address_space {
  atomic_t i_mmap_writable;
};
struct inode___61 {
  struct timespec64 i_mtime;
  struct timespec64 i_ctime;
};
struct inode___66 {
  struct timespec64 i_mtime;
  struct timespec64 __i_ctime;
};
struct inode___67 {
  struct timespec64 __i_mtime;
  struct timespec64 __i_ctime;
};
struct inode___611 {
  s64 i_mtime_sec;
  s64 i_ctime_sec;
  u32 i_mtime_nsec;
  u32 i_ctime_nsec;
};

struct qstr {
  union {
    struct {
      u32 hash;
      u32 len;
    };
  };
  const unsigned char *name;
};

struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};

struct vfsmount {
  struct dentry *mnt_root;
};
struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};
struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct file {
  unsigned int f_mode;
  unsigned int f_flags;
  struct inode *f_inode;
  struct path f_path;
  void *private_data;
};
struct file___61 {
  atomic64_t f_count;
};
struct file_ref {
  atomic64_t refcnt;
};
struct file___613 {
  struct file_ref f_ref;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
  unsigned long *open_fds;
};
struct files_struct {
  atomic_t count;
  struct fdtable *fdt;
};
struct fs_struct {
  struct path root;
  struct path pwd;
};

struct mm_struct {
  unsigned long arg_start;
  unsigned long arg_end;
  struct file *exe_file;
};

struct kernfs_node {
  const char *name;
  u64 id;
};
struct kernfs_node___61 {
  struct kernfs_node *parent;
};
struct kernfs_node___614 {
  struct kernfs_node *__parent;
};
struct cgroup_subsys_state {
  struct cgroup *cgroup;
  struct cgroup_subsys_state *parent;
};
struct cgroup {
  struct cgroup_subsys_state self;
  struct kernfs_node *kn;
};
struct css_set {
  struct cgroup *dfl_cgrp;
};

struct tty_driver {
  int major;
  int minor_start;
};
struct tty_struct {
  struct tty_driver *driver;
  int index;
};
struct signal_struct {
  atomic_t live;
  int nr_threads;
  int group_exit_code;
  unsigned int flags;
  struct tty_struct *tty;
  struct pid *pids[4];
};

struct thread_info {
  u32 status;
};
struct task_struct {
  struct thread_info thread_info;
  unsigned int flags;
  s32 pid;
  s32 tgid;
  int exit_code;
  u64 start_boottime;
  struct mm_struct *mm;
  struct task_struct *real_parent;
  struct task_struct *parent;
  struct task_struct *group_leader;
  struct list_head ptraced;
  struct list_head ptrace_entry;
  struct pid *thread_pid;
  const struct cred *real_cred;
  const struct cred *cred;
  char comm[16];
  struct fs_struct *fs;
  struct files_struct *files;
  struct nsproxy *nsproxy;
  struct signal_struct *signal;
  kuid_t loginuid;
  unsigned int sessionid;
  struct css_set *cgroups;
};

struct linux_binprm {
  struct file *file;
  const char *filename;
  const char *interp;
};

/* x86-64 system call arguments; still there at the exit of the call. */
struct pt_regs {
  unsigned long bp;
  unsigned long bx;
  unsigned long cx;
  unsigned long r10;
  unsigned long r9;
  unsigned long r8;
  unsigned long ax;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long orig_ax;
};

struct in6_addr {
  union {
    u8 u6_addr8[16];
  } in6_u;
};
typedef struct {
  struct net *net;
} possible_net_t;
struct sock_common {
  u32 skc_daddr;
  u32 skc_rcv_saddr;
  u16 skc_dport;
  u16 skc_num;
  u16 skc_family;
  volatile unsigned char skc_state;
  unsigned long skc_flags;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
  struct sock_common __sk_common;
  u16 sk_protocol;
  u16 sk_type;
  int sk_err;
  struct pid *sk_peer_pid;
};
struct unix_sock {
  struct path path;
  struct sock *peer;
};
struct vm_area_struct {
  struct file *vm_file;
};
struct inet_sock {
  u16 inet_sport;
};
struct tcp_sock {
  u64 bytes_received;
  u64 bytes_sent;
  u64 bytes_retrans;
};
struct socket {
  struct sock *sk;
};

struct kernel_siginfo {
  int si_code;
};

struct filename {
  const char *name;
};
struct io_cmd_data {
  struct file *file;
};
struct io_kiocb {
  struct io_cmd_data cmd;
  struct file *file;
  u8 opcode;
};
/* The private views of io_kiocb.cmd; their names are BTF types of io_uring sources. */
struct io_open {
  int dfd;
  struct filename *filename;
};
struct io_rename {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
};
struct io_unlink {
  int dfd;
  struct filename *filename;
};
struct io_mkdir {
  int dfd;
  struct filename *filename;
};
struct io_link {
  int old_dfd;
  int new_dfd;
  struct filename *oldpath;
  struct filename *newpath;
};

struct seq_file;
struct bpf_iter_meta {
  struct seq_file *seq;
};
struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

/* Contexts of the syscall tracepoints. `nr` is an int: what follows it in the slot is not zeroed. */
struct trace_entry {
  short unsigned int type;
  unsigned char flags;
  unsigned char preempt_count;
  int pid;
};
struct trace_event_raw_sys_enter {
  struct trace_entry ent;
  long int id;
  unsigned long args[6];
};
struct trace_event_raw_sys_exit {
  struct trace_entry ent;
  long int id;
  long int ret;
};

#pragma clang attribute pop

#endif
