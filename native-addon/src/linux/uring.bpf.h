/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Signals to other processes, and io_uring, whose operations no system call tracepoint sees. */
#ifndef SENTINEL_URING_BPF_H
#define SENTINEL_URING_BPF_H
#include "rare.bpf.h"

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
  return finish(s, 5, ours ? SN_RING_SECURITY : SN_RING_OBSERVABILITY);
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
  return finish(s, hook, SN_RING_SECURITY);
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
