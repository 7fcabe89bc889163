/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who a process is and what it sees: user and group ids, capabilities, mounts, namespaces, roots. */
#ifndef SENTINEL_IDENTITY_BPF_H
#define SENTINEL_IDENTITY_BPF_H
#include "rare.bpf.h"

#define SN_CLONE_NEW 0x7e020080u

/* ---- who one is ---- */

struct ids {
  u64 effective;
  u64 permitted;
  u32 uid;
  u32 euid;
  u32 gid;
  u32 egid;
};

/* What the caller was when it asked. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 2048);
  __type(key, u64);
  __type(value, struct ids);
} asked SEC(".maps");

static __always_inline void read_ids(struct ids *ids)
{
  struct task_struct *task = bpf_get_current_task_btf();
  const struct cred *cred = task->cred;

  ids->uid = cred->uid.val;
  ids->euid = cred->euid.val;
  ids->gid = cred->gid.val;
  ids->egid = cred->egid.val;
  bpf_probe_read_kernel(&ids->effective, 8, &cred->cap_effective);
  bpf_probe_read_kernel(&ids->permitted, 8, &cred->cap_permitted);
}

SEC("tp/syscalls/sys_enter_setuid")
int on_setid_enter(struct trace_event_raw_sys_enter *ctx)
{
  u64 key = bpf_get_current_pid_tgid();
  struct ids ids = {};

  if (!current_in_scope())
    return 0;
  read_ids(&ids);
  bpf_map_update_elem(&asked, &key, &ids, BPF_ANY);
  return 0;
}

SEC("tp/syscalls/sys_exit_setuid")
int on_setid(struct trace_event_raw_sys_exit *ctx)
{
  u64 key = bpf_get_current_pid_tgid(), cookie = bpf_get_attach_cookie(ctx);
  u32 hook = cookie & 0xff, type = cookie >> 8 & 0xff;
  struct task_struct *task;
  struct ids *before, now = {};
  const struct cred *cred;
  struct scratch *s;
  struct sn_rare *r;
  u32 suid, sgid;
  u64 number;
  bool changed;

  before = bpf_map_lookup_elem(&asked, &key);
  if (!before)
    return 0;
  if (ctx->ret < 0)
    goto out;
  read_ids(&now);
  changed = now.uid != before->uid || now.euid != before->euid || now.gid != before->gid ||
            now.egid != before->egid || now.effective != before->effective || now.permitted != before->permitted;
  if (!changed)
    goto out;
  s = begin_rare(hook, type);
  if (!s)
    goto out;
  task = bpf_get_current_task_btf();
  cred = task->cred;
  suid = cred->suid.val;
  sgid = cred->sgid.val;
  number = registers()->orig_ax;
  /* Or the compiler merges a load from here with one from map memory, which the verifier rejects. */
  OPAQUE(suid);
  OPAQUE(sgid);
  OPAQUE(number);
  r = (void *)s->buf;
  if (type == SN_SETUID) {
    r->a[0] = now.uid;
    r->a[1] = now.euid;
    r->a[2] = suid;
    r->a[3] = before->uid;
    r->a[4] = before->euid;
    r->a[5] = number;
  } else if (type == SN_SETGID) {
    r->a[0] = now.gid;
    r->a[1] = now.egid;
    r->a[2] = sgid;
    r->a[3] = before->gid;
    r->a[4] = before->egid;
    r->a[5] = number;
  } else {
    r->a[0] = now.effective;
    r->a[1] = now.permitted;
    r->a[2] = before->effective;
    r->a[3] = before->permitted;
  }
  finish(s, hook, SN_RING_SECURITY);
out:
  bpf_map_delete_elem(&asked, &key);
  return 0;
}

/* ---- mounts and namespaces ---- */

SEC("tp/syscalls/sys_exit_mount")
int on_mount(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_MOUNT);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  r->a[0] = argument(regs, 3);
  if (argument(regs, 0))
    append_user(s, &r->s1, (const char *)argument(regs, 0));
  append_user(s, &r->s2, (const char *)argument(regs, 1));
  if (argument(regs, 2))
    append_user(s, &r->s3, (const char *)argument(regs, 2));
  return finish(s, hook, SN_RING_SECURITY);
}

SEC("tp/syscalls/sys_exit_move_mount")
int on_move_mount(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_MOUNT);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  append_user(s, &r->s1, (const char *)argument(regs, 1));
  append_user(s, &r->s2, (const char *)argument(regs, 3));
  return finish(s, hook, SN_RING_SECURITY);
}

SEC("tp/syscalls/sys_exit_umount")
int on_umount(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_UMOUNT);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  r->a[0] = argument(regs, 1);
  append_user(s, &r->s2, (const char *)argument(regs, 0));
  return finish(s, hook, SN_RING_SECURITY);
}

SEC("tp/syscalls/sys_exit_unshare")
int on_unshare(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx), flags;
  struct scratch *s;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  flags = argument(registers(), 0);
  if (!(flags & SN_CLONE_NEW))
    return 0;
  s = begin_rare(hook, SN_UNSHARE);
  if (!s)
    return 0;
  ((struct sn_rare *)s->buf)->a[0] = flags;
  return finish(s, hook, SN_RING_SECURITY);
}

SEC("tp/syscalls/sys_exit_setns")
int on_setns(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct scratch *s;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_SETNS);
  if (!s)
    return 0;
  ((struct sn_rare *)s->buf)->a[0] = argument(registers(), 1);
  return finish(s, hook, SN_RING_SECURITY);
}

SEC("tp/syscalls/sys_exit_chroot")
int on_chroot(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct scratch *s;
  struct sn_rare *r;

  if (!current_in_scope())
    return 0;
  s = begin_rare(hook, hook == 88 ? SN_PIVOT_ROOT : SN_CHROOT);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->ret = ctx->ret;
  if (hook != 88 && ctx->ret >= 0) {
    struct path root;
    read_root(&root);
    append_path(s, &r->s1, root.mnt, root.dentry);
  } else {
    append_user(s, &r->s1, (const char *)argument(registers(), 0));
  }
  return finish(s, hook, SN_RING_SECURITY);
}

#endif
