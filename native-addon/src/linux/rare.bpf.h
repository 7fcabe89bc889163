/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Rare calls that matter: debugging other processes, and memory that is made for code. */
#ifndef SENTINEL_RARE_BPF_H
#define SENTINEL_RARE_BPF_H
#include "file.bpf.h"

#define SN_PROT_W 2
#define SN_PROT_X 4
#define SN_CODE_ANONYMOUS 0
#define SN_CODE_FILE 1
#define SN_CODE_SHARED 2
#define SN_MAP_ANONYMOUS 0x20
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

  if (!current_in_scope())
    return 0;
  regs = registers();
  request = argument(regs, 0);
  pid = argument(regs, 1);
  /* Attempts count where they would be the first step. */
  if (ctx->ret < 0 && request != 16 && request != 0x4206)
    return 0;
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
    return finish(s, hook, SN_RING_SECURITY);
  }
  /* The tracee by its entry in our list: the newest is first, which makes an attach exact in any pid namespace. */
  r->target_pid = pid;
  if (ctx->ret < 0)
    return finish(s, hook, SN_RING_SECURITY);
  head = (void *)task + bpf_core_field_offset(struct task_struct, ptraced);
  w = &s->walk;
  w->mnt = (void *)head;
  w->done = 0;
  w->position = request == 16 || request == 0x4206 ? 0 : pid;
  bpf_core_read(&w->dentry, sizeof(w->dentry), &head->next);
  bpf_loop(SN_TRACED_MAX, traced_step, &s, 0);
  if (w->done)
    fill_target(s, (void *)w->dentry - bpf_core_field_offset(struct task_struct, ptrace_entry));
  return finish(s, hook, SN_RING_SECURITY);
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
  return finish(s, hook, SN_RING_SECURITY);
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
  return finish(s, hook, SN_RING_SECURITY);
}

/* How often a process made memory executable after the fact, by kind: what compilers at run time do all the time. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, u64);
  __type(value, u32);
} code_calls SEC(".maps");

/* Counts a call of the current process; 0 unless it is its first, or the 16th, the 256th, and so on. */
static __always_inline u32 count_code_call(u32 kind)
{
  struct task_struct *task = bpf_get_current_task_btf();
  u64 key = (task->group_leader->start_boottime ^ (u64)task->tgid << 40) << 2 | kind;
  u32 *known = bpf_map_lookup_elem(&code_calls, &key), count = 1;

  if (!known) {
    bpf_map_update_elem(&code_calls, &key, &count, BPF_ANY);
    return 1;
  }
  count = __sync_fetch_and_add(known, 1) + 1;
  return count & (count - 1) || !(count & 0x11111111) ? 0 : count;
}

static __always_inline int record_mapping(u32 hook, u8 type, u64 address, u64 extra, struct file *file)
{
  struct pt_regs *regs = registers();
  struct scratch *s = begin_rare(hook, type);
  struct sn_rare *r;

  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = address;
  r->a[1] = argument(regs, 1);
  r->a[2] = argument(regs, 2);
  r->a[3] = extra;
  if (file)
    append_file_path(s, &r->s1, file);
  return finish(s, hook, SN_RING_SECURITY);
}

/* Can the file still be changed through another mapping, or has nobody else a name for it? */
static __always_inline bool writable_elsewhere(struct file *file)
{
  struct inode *inode = BPF_CORE_READ(file, f_inode);

  return BPF_CORE_READ(inode, i_nlink) == 0 || BPF_CORE_READ(inode, i_mapping, i_mmap_writable.counter) > 0;
}

SEC("tp/syscalls/sys_exit_mmap")
int on_mmap(struct trace_event_raw_sys_exit *ctx)
{
  struct pt_regs *regs = registers();
  struct file *file = NULL;
  bool written;
  u32 count = 0;

  if (!(argument(regs, 2) & SN_PROT_X))
    return 0;
  written = argument(regs, 2) & SN_PROT_W;
  if ((unsigned long)ctx->ret > -4096ul || !current_in_scope())
    return 0;
  if (!(argument(regs, 3) & SN_MAP_ANONYMOUS))
    file = file_of_fd(bpf_get_current_task_btf(), argument(regs, 4));
  if (written)
    return record_mapping(hook_of(ctx), SN_MMAP_WX, ctx->ret, argument(regs, 3), file);
  if (file && writable_elsewhere(file))
    count = count_code_call(SN_CODE_SHARED);
  return count ? record_mapping(hook_of(ctx), SN_MMAP_X, ctx->ret, count, file) : 0;
}

static long find_file(struct task_struct *task, struct vm_area_struct *vma, struct file **file)
{
  *file = vma->vm_file;
  return 0;
}

SEC("tp/syscalls/sys_exit_mprotect")
int on_mprotect(struct trace_event_raw_sys_exit *ctx)
{
  struct pt_regs *regs = registers();
  u64 address = argument(regs, 0);
  struct file *file = NULL;
  u32 count;

  if (!(argument(regs, 2) & SN_PROT_X) || ctx->ret < 0 || !current_in_scope())
    return 0;
  if (argument(regs, 2) & SN_PROT_W)
    return record_mapping(hook_of(ctx), SN_MPROTECT_WX, address, 0, NULL);
  bpf_find_vma(bpf_get_current_task_btf(), address, find_file, &file, 0);
  count = count_code_call(file ? SN_CODE_FILE : SN_CODE_ANONYMOUS);
  return count ? record_mapping(hook_of(ctx), SN_MPROTECT_X, address, count, file) : 0;
}

#endif
