/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Rare calls that matter: debugging other processes, writable and executable memory, code loading, identity changes,
 * mounts and namespaces, io_uring, signals to others. */
#ifndef SENTINEL_RARE_BPF_H
#define SENTINEL_RARE_BPF_H
#include "file.bpf.h"

#define SN_PROT_WX (2 | 4)
#define SN_MAP_ANONYMOUS 0x20
#define SN_CLONE_NEW 0x7e020080u
#define SN_TRACED_MAX 64

/* Starts a record of the current process. */
static __always_inline struct scratch *begin_rare(u32 hook, u8 type)
{
  struct scratch *s = claim(hook);

  if (!s)
    return NULL;
  begin(s, type, bpf_get_current_task_btf(), sizeof(struct sn_rare));
  ((struct sn_rare *)s->buf)->target_uid = SN_UNKNOWN_ID;
  current_comm(((struct sn_rare *)s->buf)->comm);
  return s;
}

static __always_inline struct pt_regs *registers(void)
{
  return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

static __always_inline u32 hook_of(void *ctx)
{
  return bpf_get_attach_cookie(ctx) & 0xff;
}

/* Names another process; `task` is an address, not a pointer that the verifier knows. */
static __noinline int fill_target(struct scratch *s, struct task_struct *task)
{
  struct sn_rare *r = (void *)s->buf;

  r->target_pid = BPF_CORE_READ(task, tgid);
  r->target_start = BPF_CORE_READ(task, group_leader, start_boottime);
  r->target_uid = BPF_CORE_READ(task, cred, uid.val);
  bpf_core_read(r->target_comm, sizeof(r->target_comm), &task->comm);
  return 0;
}

/* ---- ptrace ---- */

static long traced_step(u32 index, struct scratch **context)
{
  struct walk *w = &(*context)->walk;
  struct list_head *entry = (void *)w->dentry, *next;
  struct task_struct *task = (void *)entry - bpf_core_field_offset(struct task_struct, ptrace_entry);

  if (!entry || (void *)entry == (void *)w->mnt)
    return 1;
  if (w->position == 0 || (u32)BPF_CORE_READ(task, pid) == w->position) {
    w->done = 1;
    return 1;
  }
  bpf_core_read(&next, sizeof(next), &entry->next);
  w->dentry = (void *)next;
  return 0;
}

SEC("tp/syscalls/sys_exit_ptrace")
int on_ptrace(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx), request, pid;
  struct task_struct *task;
  struct list_head *head;
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;
  struct walk *w;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  regs = registers();
  request = argument(regs, 0);
  pid = argument(regs, 1);
  /* TRACEME, POKETEXT, POKEDATA, SETREGS, ATTACH, SETREGSET, SEIZE; the rest only looks or steers. */
  if (request != 0 && request != 4 && request != 5 && request != 13 && request != 16 && request != 0x4205 &&
      request != 0x4206)
    return 0;
  s = begin_rare(hook, SN_PTRACE);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = request;
  r->ret = ctx->ret;
  task = bpf_get_current_task_btf();
  if (request == 0) {
    fill_target(s, task->parent);
    return finish(s, hook, SN_RING_SECURITY, 1);
  }
  /* The tracee by its entry in our list: the newest is first, which makes an attach exact in any pid namespace. */
  r->target_pid = pid;
  head = (void *)task + bpf_core_field_offset(struct task_struct, ptraced);
  w = &s->walk;
  w->mnt = (void *)head;
  w->done = 0;
  w->position = request == 16 || request == 0x4206 ? 0 : pid;
  bpf_core_read(&w->dentry, sizeof(w->dentry), &head->next);
  bpf_loop(SN_TRACED_MAX, traced_step, &s, 0);
  if (w->done)
    fill_target(s, (void *)w->dentry - bpf_core_field_offset(struct task_struct, ptrace_entry));
  return finish(s, hook, SN_RING_SECURITY, 1);
}

SEC("tp/syscalls/sys_exit_process_vm_writev")
int on_vm_write(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct scratch *s;
  struct sn_rare *r;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_VM_WRITE);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->target_pid = argument(registers(), 0);
  r->ret = ctx->ret;
  return finish(s, hook, SN_RING_SECURITY, 1);
}

/* ---- memory ---- */

SEC("tp/syscalls/sys_exit_memfd_create")
int on_memfd(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_MEMFD_CREATE);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  r->a[0] = argument(regs, 1);
  r->ret = ctx->ret;
  append_user(s, &r->s1, (const char *)argument(regs, 0));
  return finish(s, hook, SN_RING_SECURITY, 0);
}

SEC("tp/syscalls/sys_exit_mmap")
int on_mmap(struct trace_event_raw_sys_exit *ctx)
{
  struct pt_regs *regs = registers();
  struct scratch *s;
  struct sn_rare *r;
  u32 hook;

  if ((argument(regs, 2) & SN_PROT_WX) != SN_PROT_WX)
    return 0;
  if ((unsigned long)ctx->ret > -4096ul || !current_in_scope())
    return 0;
  hook = hook_of(ctx);
  s = begin_rare(hook, SN_MMAP_WX);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = ctx->ret;
  r->a[1] = argument(regs, 1);
  r->a[2] = argument(regs, 2);
  r->a[3] = argument(regs, 3);
  if (!(r->a[3] & SN_MAP_ANONYMOUS)) {
    struct file *file = file_of_fd(bpf_get_current_task_btf(), argument(regs, 4));
    if (file)
      append_file_path(s, &r->s1, file);
  }
  return finish(s, hook, SN_RING_SECURITY, 0);
}

SEC("tp/syscalls/sys_exit_mprotect")
int on_mprotect(struct trace_event_raw_sys_exit *ctx)
{
  struct pt_regs *regs = registers();
  struct scratch *s;
  struct sn_rare *r;
  u32 hook;

  if ((argument(regs, 2) & SN_PROT_WX) != SN_PROT_WX || ctx->ret < 0 || !current_in_scope())
    return 0;
  hook = hook_of(ctx);
  s = begin_rare(hook, SN_MPROTECT_WX);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = argument(regs, 0);
  r->a[1] = argument(regs, 1);
  r->a[2] = argument(regs, 2);
  return finish(s, hook, SN_RING_SECURITY, 0);
}

/* ---- code for the kernel ---- */

#define SN_BPF_PROG_LOAD 5
#define SN_BPF_PROG_ATTACH 8
#define SN_BPF_RAW_TRACEPOINT_OPEN 17
#define SN_BPF_LINK_CREATE 28
#define SN_BPF_ATTR_PROG_NAME 48

SEC("tp/syscalls/sys_exit_bpf")
int on_bpf(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx), command, off;
  struct pt_regs *regs = registers();
  const char *attr;
  struct scratch *s;
  struct sn_rare *r;

  command = argument(regs, 0);
  if (command != SN_BPF_PROG_LOAD && command != SN_BPF_PROG_ATTACH && command != SN_BPF_RAW_TRACEPOINT_OPEN &&
      command != SN_BPF_LINK_CREATE)
    return 0;
  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, SN_BPF);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = command;
  r->ret = ctx->ret;
  attr = (const char *)argument(regs, 1);
  if (command == SN_BPF_PROG_LOAD) {
    u32 type = 0;
    long n;
    bpf_probe_read_user(&type, sizeof(type), attr);
    r->a[1] = type;
    off = s->off;
    if (off <= SN_OFF_MAX) {
      n = bpf_probe_read_user_str(s->buf + off, SN_COMM_LEN, attr + SN_BPF_ATTR_PROG_NAME);
      if (n > 1) {
        describe(&r->s1, SN_STR_PLAIN, n - 1, 0, n - 1);
        s->off = off + n - 1;
      }
    }
  }
  return finish(s, hook, SN_RING_SECURITY, 0);
}

SEC("tp/syscalls/sys_exit_init_module")
int on_init_module(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;

  if (!current_in_scope())
    return 0;
  s = begin_rare(hook, SN_INIT_MODULE);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  r->a[0] = argument(regs, 1);
  r->ret = ctx->ret;
  append_user(s, &r->s2, (const char *)argument(regs, 2));
  return finish(s, hook, SN_RING_SECURITY, 1);
}

SEC("tp/syscalls/sys_exit_finit_module")
int on_finit_module(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;
  struct file *file;

  if (!current_in_scope())
    return 0;
  s = begin_rare(hook, SN_FINIT_MODULE);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  r->a[0] = argument(regs, 2);
  r->ret = ctx->ret;
  file = file_of_fd(bpf_get_current_task_btf(), argument(regs, 0));
  if (file)
    append_file_path(s, &r->s1, file);
  append_user(s, &r->s2, (const char *)argument(regs, 1));
  return finish(s, hook, SN_RING_SECURITY, 1);
}

SEC("tp/syscalls/sys_exit_delete_module")
int on_delete_module(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct pt_regs *regs;
  struct scratch *s;
  struct sn_rare *r;

  if (!current_in_scope())
    return 0;
  s = begin_rare(hook, SN_DELETE_MODULE);
  if (!s)
    return 0;
  r = (void *)s->buf;
  regs = registers();
  r->a[0] = argument(regs, 1);
  r->ret = ctx->ret;
  append_user(s, &r->s1, (const char *)argument(regs, 0));
  return finish(s, hook, SN_RING_SECURITY, 1);
}

SEC("tp/syscalls/sys_exit_kexec_load")
int on_kexec(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct scratch *s;
  struct sn_rare *r;

  if (!current_in_scope())
    return 0;
  s = begin_rare(hook, SN_KEXEC);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = argument(registers(), 3);
  r->ret = ctx->ret;
  return finish(s, hook, SN_RING_SECURITY, 1);
}

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
  finish(s, hook, SN_RING_SECURITY, 0);
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
  return finish(s, hook, SN_RING_SECURITY, 0);
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
  return finish(s, hook, SN_RING_SECURITY, 0);
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
  return finish(s, hook, SN_RING_SECURITY, 0);
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
  return finish(s, hook, SN_RING_SECURITY, 0);
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
  return finish(s, hook, SN_RING_SECURITY, 0);
}

SEC("tp/syscalls/sys_exit_chroot")
int on_chroot(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = hook_of(ctx);
  struct scratch *s;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  s = begin_rare(hook, hook == 88 ? SN_PIVOT_ROOT : SN_CHROOT);
  if (!s)
    return 0;
  append_user(s, &((struct sn_rare *)s->buf)->s1, (const char *)argument(registers(), 0));
  return finish(s, hook, SN_RING_SECURITY, 0);
}

/* ---- signals ---- */

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
  u32 from = bpf_get_current_pid_tgid() >> 32, to = task->tgid;
  struct sn_control *ctl;
  struct scratch *s;
  struct sn_rare *r;
  bool ours;
  int code;

  /* Small values are not addresses: "no info" and "from the kernel". */
  if (from == to || (u64)info < 4096)
    return 0;
  code = BPF_CORE_READ(info, si_code);
  /* SI_USER, SI_QUEUE, SI_TKILL */
  if (code != 0 && code != -1 && code != -6)
    return 0;
  if (sig != 1 && sig != 2 && sig != 3 && sig != 6 && sig != 9 && sig != 10 && sig != 11 && sig != 12 && sig != 15 &&
      sig != 19 && sig != 20)
    return 0;
  if (!in_scope(from))
    return 0;
  ctl = controls();
  ours = ctl && to == ctl->own_tgid;
  s = begin_rare(5, SN_KILL);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = sig;
  fill_target(s, task);
  return finish(s, 5, ours ? SN_RING_SECURITY : SN_RING_OBSERVABILITY, ours);
}

/* ---- io_uring, whose operations no system call tracepoint sees ---- */

#define SN_URING_CONNECT 16
#define SN_URING_ACCEPT 13
#define SN_URING_FALLOCATE 17
#define SN_URING_OPENAT 18
#define SN_URING_OPENAT2 28
#define SN_URING_RENAMEAT 35
#define SN_URING_UNLINKAT 36
#define SN_URING_MKDIRAT 37
#define SN_URING_SYMLINKAT 38
#define SN_URING_LINKAT 39
#define SN_URING_FSETXATTR 41
#define SN_URING_SETXATTR 42
#define SN_URING_SOCKET 45
#define SN_URING_FTRUNCATE 55
#define SN_URING_LISTEN 57

/* The path was copied into the kernel when the request was prepared: nobody can change it any more. */
static __always_inline void append_filename(struct scratch *s, struct sn_str *d, struct filename *name)
{
  if (name)
    append_kernel(s, d, BPF_CORE_READ(name, name));
}

static __always_inline int record_uring(struct io_kiocb *req, u32 hook)
{
  u32 op = BPF_CORE_READ(req, opcode);
  struct filename *from = NULL, *to = NULL;
  struct scratch *s;
  struct sn_rare *r;
  s64 fd = -1;
  void *cmd;

  switch (op) {
  case SN_URING_CONNECT:
  case SN_URING_ACCEPT:
  case SN_URING_OPENAT:
  case SN_URING_OPENAT2:
  case SN_URING_RENAMEAT:
  case SN_URING_UNLINKAT:
  case SN_URING_MKDIRAT:
  case SN_URING_SYMLINKAT:
  case SN_URING_LINKAT:
  case SN_URING_FSETXATTR:
  case SN_URING_SETXATTR:
  case SN_URING_SOCKET:
  case SN_URING_FTRUNCATE:
  case SN_URING_LISTEN:
    break;
  default:
    return 0;
  }
  if (!current_in_scope())
    return 0;
  cmd = (void *)req + bpf_core_field_offset(struct io_kiocb, cmd);
  if (op == SN_URING_OPENAT || op == SN_URING_OPENAT2) {
    from = BPF_CORE_READ((struct io_open *)cmd, filename);
    fd = BPF_CORE_READ((struct io_open *)cmd, dfd);
  } else if (op == SN_URING_UNLINKAT) {
    from = BPF_CORE_READ((struct io_unlink *)cmd, filename);
    fd = BPF_CORE_READ((struct io_unlink *)cmd, dfd);
  } else if (op == SN_URING_MKDIRAT) {
    from = BPF_CORE_READ((struct io_mkdir *)cmd, filename);
    fd = BPF_CORE_READ((struct io_mkdir *)cmd, dfd);
  } else if (op == SN_URING_RENAMEAT) {
    from = BPF_CORE_READ((struct io_rename *)cmd, oldpath);
    to = BPF_CORE_READ((struct io_rename *)cmd, newpath);
    fd = BPF_CORE_READ((struct io_rename *)cmd, old_dfd);
  } else if (op == SN_URING_LINKAT || op == SN_URING_SYMLINKAT) {
    from = BPF_CORE_READ((struct io_link *)cmd, oldpath);
    to = BPF_CORE_READ((struct io_link *)cmd, newpath);
    fd = BPF_CORE_READ((struct io_link *)cmd, old_dfd);
  }
  s = begin_rare(hook, SN_IO_URING);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = op;
  r->a[1] = fd;
  append_filename(s, &r->s1, from);
  append_filename(s, &r->s2, to);
  return finish(s, hook, SN_RING_SECURITY, 0);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_req, struct io_kiocb *req)
{
  return record_uring(req, 7);
}

/* Its name before 6.5. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_sqe, struct io_kiocb *req)
{
  return record_uring(req, 8);
}

#endif
