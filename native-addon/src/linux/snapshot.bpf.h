/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The list of what already runs when the sensor starts. */
#ifndef SENTINEL_SNAPSHOT_BPF_H
#define SENTINEL_SNAPSHOT_BPF_H
#include "process.bpf.h"

static __always_inline bool task_in_scope(struct task_struct *task)
{
  u32 tgid = task->tgid, parent = task->real_parent->tgid;

  if (cfg.scope_kind == SN_SCOPE_CGROUP)
    return born_into_scope(task);
  if (cfg.scope_kind == SN_SCOPE_PID) {
    u32 one = 1;
    if (bpf_map_lookup_elem(&scope_pids, &tgid))
      return true;
    if (!bpf_map_lookup_elem(&scope_pids, &parent))
      return false;
    bpf_map_update_elem(&scope_pids, &tgid, &one, BPF_ANY);
  }
  return true;
}

/* Writes one snapshot record per process into the iterator's file; may sleep, so that another process's arguments can
 * be read. The reader takes them from there: a snapshot never competes for ring space. */
SEC("iter.s/task")
int snapshot_tasks(struct bpf_iter__task *ctx)
{
  struct task_struct *task = ctx->task;
  struct seq_file *seq = ctx->meta->seq;
  struct sn_control *ctl = controls();
  struct mm_struct *mm;
  struct sn_proc *r;
  struct scratch *s;
  struct fs_struct *fs;
  struct path root;
  u32 off, len;

  if (!ctl)
    return 0;
  /* Who reads the iterator is the agent, whatever it is called in its own pid namespace. */
  ctl->own_tgid = bpf_get_current_pid_tgid() >> 32;
  read_root(&root);
  ctl->root_mnt = (u64)root.mnt;
  ctl->root_dentry = (u64)root.dentry;
  if (!task || task->pid != task->tgid || !task_in_scope(task) || is_ours(ctl, task->tgid))
    return 0;
  s = claim(4);
  if (!s)
    return 0;
  begin(s, SN_SNAPSHOT, task, sizeof(*r));
  r = (void *)s->buf;
  fill_proc(r, task);
  mm = task->mm;
  if (mm) {
    struct file *exe = mm->exe_file;
    u64 start = mm->arg_start, length = mm->arg_end - start;
    if (exe)
      append_exe(s, exe);
    fs = task->fs;
    if (fs)
      append_path(s, &r->cwd, BPF_CORE_READ(fs, pwd.mnt), BPF_CORE_READ(fs, pwd.dentry));
    off = s->off;
    if (off <= SN_OFF_MAX && mm->arg_end > start) {
      u32 take = length > SN_ARGV_MAX ? SN_ARGV_MAX : length;
      if (bpf_copy_from_user_task(s->buf + off, take, (void *)start, task, 0)) {
        describe(&r->argv, SN_STR_ARGV, 0, SN_STR_FAULT, length);
      } else {
        describe(&r->argv, SN_STR_ARGV, take, length > SN_ARGV_MAX ? SN_STR_CUT : 0, length);
        s->off = off + take;
      }
    }
  }
  if (task->flags & PF_KTHREAD)
    r->h.flags |= SN_F_KTHREAD;
  append_cgroup(s, &r->cgroup_path, task->cgroups->dfl_cgrp->kn);
  off = s->off;
  if (off <= SN_OFF_MAX + SN_PATH_MAX) {
    *(u64 *)(s->buf + off) = 0;
    len = (off + 7) & ~7u;
    r->h.len = len;
    if (len <= SN_RECORD_MAX)
      bpf_seq_write(seq, s->buf, len);
  }
  release(s);
  return 0;
}

#endif
