/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Processes: fork, exec, exit, and the snapshot of what already runs. */
#ifndef SENTINEL_PROCESS_BPF_H
#define SENTINEL_PROCESS_BPF_H
#include "policy.bpf.h"

#define SN_SIGNAL_GROUP_EXIT 0x00000004
#define SN_S_ISUID 04000
#define SN_S_ISGID 02000
#define SN_S_IWOTH 00002
#define SN_CGROUP_DEPTH 16
#define SN_CGROUP_BYTES 512

/* Groups whose end was already recorded while more than one thread was left. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, u64);
  __type(value, u32);
} ended SEC(".maps");

/* Is the task's own control group within the scope? */
static __always_inline bool born_into_scope(struct task_struct *task)
{
  struct cgroup_subsys_state *css = &task->cgroups->dfl_cgrp->self;

  if (cfg.scope_kind != SN_SCOPE_CGROUP)
    return false;
  for (int depth = 0; depth < SN_CGROUP_DEPTH && css; depth++) {
    if (BPF_CORE_READ(css, cgroup, kn, id) == cfg.scope_cgroup)
      return true;
    css = BPF_CORE_READ(css, parent);
  }
  return false;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
  struct signal_struct *signal = task->signal;
  struct task_struct *leader = task->group_leader;
  u32 tgid = task->tgid;
  struct sn_exit *r;
  struct scratch *s;
  u64 key;

  if (task->flags & PF_KTHREAD)
    return 0;
  /* do_exit counted this thread off before the tracepoint: zero means that the group is dead. Threads that leave at
   * once may all see it, so the first of them that comes by while others are left says so to the others. */
  if (signal->live.counter != 0)
    return 0;
  key = leader->start_boottime ^ (u64)tgid << 40;
  if (signal->nr_threads > 1) {
    u32 one = 1;
    if (bpf_map_update_elem(&ended, &key, &one, BPF_NOEXIST))
      return 0;
  } else if (bpf_map_lookup_elem(&ended, &key)) {
    return 0;
  }
  if (policies_about(SN_POLICIES_CUT))
    bpf_map_delete_elem(&cut_tgid, &tgid);
  if (!in_scope(tgid))
    return 0;
  if (!cfg.writes_by_fput)
    close_descriptors(3, 0, ~0u);
  s = claim(3);
  if (s) {
    begin(s, SN_EXIT, task, sizeof(*r));
    r = (void *)s->buf;
    r->status = signal->flags & SN_SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
    r->ppid = task->real_parent->tgid;
    copy_comm(r->comm, leader);
    finish(s, 3, SN_RING_SECURITY);
  }
  return 0;
}

/* Scope pid:N: a process leaves the scope only here, because its files are closed after its exit. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
  u32 tgid = task->tgid;

  if (tgid == (u32)task->pid)
    bpf_map_delete_elem(&scope_pids, &tgid);
  return 0;
}

static long cgroup_step(u32 index, struct scratch **context)
{
  struct scratch *s = *context;
  struct walk *w = &s->walk;
  struct kernfs_node *kn = (void *)w->dentry, *parent;
  const char *name;
  u32 off = s->off;
  long n;

  if (bpf_core_field_exists(((struct kernfs_node___614 *)0)->__parent))
    parent = BPF_CORE_READ((struct kernfs_node___614 *)kn, __parent);
  else
    parent = BPF_CORE_READ((struct kernfs_node___61 *)kn, parent);
  if (!parent) {
    w->done = 1;
    return 1;
  }
  name = BPF_CORE_READ(kn, name);
  if (off > SN_OFF_MAX || off - w->start > SN_CGROUP_BYTES - SN_NAME_BYTES - 1)
    return 1;
  n = bpf_probe_read_kernel_str(s->buf + off, SN_NAME_BYTES + 1, name);
  if (n < 0)
    return 1;
  s->off = off + n;
  w->orig += n;
  w->dentry = (void *)parent;
  return 0;
}

/* Appends the path of the task's cgroup, leaf first. */
static __noinline int append_cgroup(struct scratch *s, struct sn_str *d, struct kernfs_node *kn)
{
  struct scratch *context = s;
  struct walk *w = &s->walk;

  w->dentry = (void *)kn;
  w->start = s->off;
  w->orig = w->done = 0;
  bpf_loop(SN_CGROUP_DEPTH, cgroup_step, &context, 0);
  describe(d, SN_STR_COMPONENTS, s->off - w->start, w->done ? 0 : SN_STR_CUT, w->orig);
  return 0;
}

static __noinline int append_exe(struct scratch *s, struct file *exe)
{
  struct sn_proc *r = (void *)s->buf;
  struct inode *inode = BPF_CORE_READ(exe, f_inode);
  struct dentry *dentry = BPF_CORE_READ(exe, f_path.dentry);
  const struct identity *id = &s->id;

  read_identity(s, inode);
  r->exe_ino = id->ino;
  r->exe_dev = id->dev;
  r->exe_size = id->size;
  r->exe_mtime = id->mtime;
  r->exe_ctime = id->ctime;
  r->exe_mode = id->mode;
  r->exe_uid = id->uid;
  if (id->mode & SN_S_ISUID)
    r->h.flags |= SN_F_EXE_SETUID;
  if (id->mode & SN_S_ISGID)
    r->h.flags |= SN_F_EXE_SETGID;
  if (id->nlink == 0 && is_memfd(dentry, id->magic))
    r->h.flags |= SN_F_EXE_MEMFD;
  else if (id->nlink == 0)
    r->h.flags |= SN_F_EXE_DELETED;
  if (BPF_CORE_READ(dentry, d_parent, d_inode, i_mode) & SN_S_IWOTH && !(r->h.flags & SN_F_EXE_MEMFD))
    r->h.flags |= SN_F_EXE_WRITABLE_DIR;
  append_file_path(s, &r->exe, exe);
  return 0;
}

/* The fixed part that needs no memory of the task. */
static __always_inline void fill_proc(struct sn_proc *r, struct task_struct *task)
{
  struct task_struct *parent = task->real_parent;
  const struct cred *cred = task->cred;
  struct nsproxy *ns = task->nsproxy;
  struct pid *pid = task->thread_pid;
  struct tty_struct *tty = task->signal->tty;
  struct pid *sid = task->signal->pids[3];

  r->ppid = parent->tgid;
  r->parent_start = parent->group_leader->start_boottime;
  r->gid = cred->gid.val;
  r->egid = cred->egid.val;
  bpf_probe_read_kernel(&r->cap_effective, 8, &cred->cap_effective);
  r->loginuid = r->session = SN_UNKNOWN_ID;
  if (bpf_core_field_exists(task->loginuid)) {
    r->loginuid = task->loginuid.val;
    r->session = task->sessionid;
  }
  if (ns) {
    r->ns_mnt = BPF_CORE_READ(ns, mnt_ns, ns.inum);
    r->ns_net = BPF_CORE_READ(ns, net_ns, ns.inum);
  }
  r->ns_user = BPF_CORE_READ(cred, user_ns, ns.inum);
  if (pid) {
    struct upid upid = {};
    u32 level = BPF_CORE_READ(pid, level);
    void *numbers = (void *)pid + bpf_core_field_offset(struct pid, numbers);
    bpf_probe_read_kernel(&upid, sizeof(upid), numbers + (u64)level * sizeof(upid));
    r->ns_tgid = upid.nr;
    r->ns_pid = BPF_CORE_READ(upid.ns, ns.inum);
  }
  if (sid)
    r->sid = BPF_CORE_READ(sid, numbers[0].nr);
  if (tty) {
    u32 major = BPF_CORE_READ(tty, driver, major);
    u32 minor = BPF_CORE_READ(tty, driver, minor_start) + BPF_CORE_READ(tty, index);
    r->tty = encode_dev(major << 20 | minor);
  }
  copy_comm(r->comm, task);
}

static __noinline int append_argv(struct scratch *s, struct sn_proc *r, struct mm_struct *mm)
{
  u64 start = mm->arg_start, length = mm->arg_end - start;
  u32 off = s->off, take = length > SN_ARGV_MAX ? SN_ARGV_MAX : length;

  if (off > SN_OFF_MAX)
    return 0;
  if (bpf_probe_read_user(s->buf + off, take, (void *)start)) {
    describe(&r->argv, SN_STR_ARGV, 0, SN_STR_FAULT, length);
  } else {
    describe(&r->argv, SN_STR_ARGV, take, length > SN_ARGV_MAX ? SN_STR_CUT : 0, length);
    s->off = off + take;
  }
  return 0;
}

/* ---- scope cgroup:PATH: processes that were moved in, and the ancestors of all that are in ---- */

/* Processes that records introduced. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, u64);
  __type(value, u32);
} introduced SEC(".maps");

static __always_inline bool first_seen(struct task_struct *task)
{
  u64 key = task->group_leader->start_boottime ^ (u64)(u32)task->tgid << 40;
  u32 one = 1;

  if (bpf_map_lookup_elem(&introduced, &key))
    return false;
  bpf_map_update_elem(&introduced, &key, &one, BPF_ANY);
  return true;
}

/* Tells of a process that already runs, as the snapshot does; the arguments only of the current one. */
static __noinline int tell_of(struct task_struct *task, bool current)
{
  struct mm_struct *mm = task->mm;
  struct fs_struct *fs = task->fs;
  struct sn_proc *r;
  struct scratch *s;

  s = claim(2);
  if (!s)
    return 0;
  begin(s, SN_SNAPSHOT, task, sizeof(*r));
  r = (void *)s->buf;
  fill_proc(r, task);
  if (mm) {
    struct file *exe = mm->exe_file;
    if (exe)
      append_exe(s, exe);
    if (fs)
      append_path(s, &r->cwd, BPF_CORE_READ(fs, pwd.mnt), BPF_CORE_READ(fs, pwd.dentry));
    if (current)
      append_argv(s, r, mm);
  }
  append_cgroup(s, &r->cgroup_path, task->cgroups->dfl_cgrp->kn);
  return finish(s, 2, SN_RING_SECURITY);
}

#define SN_INTRODUCED_MAX 8

/* Tells of the nearest ancestors that no record told of, the oldest first, and of the task itself if asked to. */
static __always_inline void introduce(struct task_struct *task, bool itself)
{
  struct task_struct *ancestor = task->group_leader;
  struct sn_control *ctl = controls();
  struct task_struct *line[SN_INTRODUCED_MAX];
  u32 count = 0;

#pragma unroll
  for (u32 i = 0; i < SN_INTRODUCED_MAX; i++) {
    line[i] = NULL;
    if (count == i && ancestor && ctl) {
      ancestor = ancestor->real_parent;
      if (ancestor && ancestor->tgid != 0 && !is_ours(ctl, ancestor->tgid) && first_seen(ancestor)) {
        line[i] = ancestor;
        count++;
      }
    }
  }
#pragma unroll
  for (u32 i = SN_INTRODUCED_MAX; i > 0; i--)
    if (line[i - 1])
      tell_of(line[i - 1], false);
  if (itself)
    tell_of(task, true);
}

/* ---- fork and exec ---- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
  u32 parent_tgid = parent->tgid, tgid = child->tgid;
  struct task_struct *real_parent;
  struct sn_control *ctl = controls();
  struct sn_cpu *cpu = this_cpu();
  struct sn_fork *r;
  struct scratch *s;

  /* Any thread that starts tells the agent whether its hooks run: it starts one and looks. */
  if (cpu && ctl && !ctl->stopped)
    cpu->alive++;
  /* A thread is no process, and kernel threads are nobody's children. */
  if (tgid != (u32)child->pid || (child->flags & PF_KTHREAD))
    return 0;
  if (ctl && ctl->spawning && parent_tgid == ctl->own_tgid) {
    ctl->keeper_tgid = tgid;
    return 0;
  }
  inherit_cut(parent, child);
  /* Not in_scope(): what the agent starts is not the agent. A child may be born into the scope from outside. */
  if (!watched_process(parent_tgid) && !(ctl && !ctl->stopped && born_into_scope(child)))
    return 0;
  if (cfg.scope_kind == SN_SCOPE_PID) {
    u32 one = 1;
    /* Without room this child and its own go unseen. */
    if (bpf_map_update_elem(&scope_pids, &tgid, &one, BPF_ANY))
      lose_blind(1);
  }
  if (cfg.scope_kind == SN_SCOPE_CGROUP) {
    if (first_seen(parent))
      introduce(parent, true);
    first_seen(child);
  }
  s = claim(1);
  if (!s)
    return 0;
  begin(s, SN_FORK, child, sizeof(*r));
  r = (void *)s->buf;
  real_parent = child->real_parent;
  r->ppid = real_parent->tgid;
  r->parent_start = real_parent->group_leader->start_boottime;
  r->creator_pid = parent_tgid;
  r->creator_start = parent->group_leader->start_boottime;
  copy_comm(r->comm, child);
  return finish(s, 1, SN_RING_SECURITY);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, s32 old_pid, struct linux_binprm *bprm)
{
  struct mm_struct *mm;
  struct sn_proc *r;
  struct scratch *s;
  struct fs_struct *fs;
  u32 outcome = 0;
  struct sn_verdict verdict = {};

  if (!in_scope(task->tgid))
    return 0;
  if (cfg.scope_kind == SN_SCOPE_CGROUP && first_seen(task))
    introduce(task, false);
  s = claim(2);
  if (!s)
    return 0;
  begin(s, SN_EXEC, task, sizeof(*r));
  r = (void *)s->buf;
  fill_proc(r, task);
  append_kernel(s, &r->filename, bprm->filename);
  if (bprm->interp != bprm->filename)
    r->h.flags |= SN_F_SCRIPT;
  mm = task->mm;
  append_exe(s, mm->exe_file);
  if (policies_about(SN_POLICIES_EXEC) && judge_executable(s)) {
    verdict = s->verdict;
    outcome = judge_caller(s, task);
    /* Pending before the first instruction of the new program, which therefore never runs. */
    if (outcome == SN_APPLIED && bpf_send_signal(SN_SIGKILL))
      outcome = SN_NOT_DELIVERED;
  }
  fs = task->fs;
  append_path(s, &r->cwd, BPF_CORE_READ(fs, pwd.mnt), BPF_CORE_READ(fs, pwd.dentry));

  /* The arguments were just copied there by the kernel and no other thread is left to change them. */
  append_argv(s, r, mm);
  append_cgroup(s, &r->cgroup_path, task->cgroups->dfl_cgrp->kn);
  finish(s, 2, SN_RING_SECURITY);
  if (verdict.handle)
    record_policy_exec(2, verdict.handle, SN_BY_SIGNAL, outcome, mm->exe_file);
  return 0;
}

#endif
