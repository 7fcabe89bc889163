/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Code for the kernel: eBPF programs, modules, another kernel. Attempts count too. */
#ifndef SENTINEL_CODE_BPF_H
#define SENTINEL_CODE_BPF_H
#include "rare.bpf.h"

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
  if (!current_in_scope())
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
  return finish(s, hook, SN_RING_SECURITY);
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
  return finish(s, hook, SN_RING_SECURITY);
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
  return finish(s, hook, SN_RING_SECURITY);
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
  return finish(s, hook, SN_RING_SECURITY);
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
  return finish(s, hook, SN_RING_SECURITY);
}

#endif
