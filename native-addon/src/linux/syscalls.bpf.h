/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The exit of every system call, for what the tracepoints of single calls do not show: calls through the 32-bit entry,
 * calls that this kernel does not have, and two that are too frequent for a tracepoint of their own. It runs at each
 * call of each process, so it leaves after a look at two words. */
#ifndef SENTINEL_SYSCALLS_BPF_H
#define SENTINEL_SYSCALLS_BPF_H
#include "names.bpf.h"
#include "sockets.bpf.h"

#define SN_HOOK_SYS_EXIT 18
#define SN_TS_COMPAT 2
#define SN_ENOSYS 38
#define SN_NR_SOCKET 41
#define SN_NR_CONNECT 42
#define SN_NR_INIT_MODULE 175
#define SN_NR_DELETE_MODULE 176
#define SN_NR_KEXEC_LOAD 246
#define SN_NR_FINIT_MODULE 313
#define SN_NR_KEXEC_FILE_LOAD 320
#define SN_COMPAT_MAX 512

/* Row of a 32-bit call that is recorded with its numbers only. */
#define SN_PLAIN_CALL 0x7f
#define NAMES32(type, dfd, path, dfd2, path2, extra, arg) \
  (SN_COOKIE(SN_HOOK_SYS_EXIT, type, dfd, path, dfd2, path2, extra, arg) | SN_COOKIE_COMPAT)
#define PATH32(type, path) NAMES32(type, SN_NO, path, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO)
#define AT32(type) NAMES32(type, 0, 1, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO)
#define OPEN32 SN_COOKIE(SN_HOOK_SYS_EXIT, SN_FILE_OPEN, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO)
#define CALL32 SN_COOKIE(SN_HOOK_SYS_EXIT, SN_PLAIN_CALL, SN_NO, SN_NO, SN_NO, SN_NO, SN_EXTRA_NONE, SN_NO)

/* By number in the 32-bit table (arch/x86/entry/syscalls/syscall_32.tbl). */
static const volatile u64 compat_calls[SN_COMPAT_MAX] = {
    [5] = OPEN32,    /* open */
    [8] = OPEN32,    /* creat */
    [295] = OPEN32,  /* openat */
    [342] = OPEN32,  /* open_by_handle_at */
    [437] = OPEN32,  /* openat2 */
    [9] = NAMES32(SN_LINK, SN_NO, 1, SN_NO, 0, SN_EXTRA_NONE, SN_NO),
    [303] = NAMES32(SN_LINK, 2, 3, 0, 1, SN_EXTRA_NONE, SN_NO),
    [10] = PATH32(SN_UNLINK, 0),
    [301] = NAMES32(SN_UNLINK, 0, 1, SN_NO, SN_NO, SN_EXTRA_REMOVEDIR, 2),
    [14] = NAMES32(SN_MKNOD, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_MODE, 1),
    [297] = NAMES32(SN_MKNOD, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2),
    [15] = NAMES32(SN_CHMOD, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_MODE, 1),
    [94] = NAMES32(SN_CHMOD, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_MODE, 1),
    [306] = NAMES32(SN_CHMOD, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2),
    [452] = NAMES32(SN_CHMOD, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2),
    [16] = NAMES32(SN_CHOWN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_OWNER, 1), /* lchown16 */
    [182] = NAMES32(SN_CHOWN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_OWNER, 1), /* chown16 */
    [95] = NAMES32(SN_CHOWN, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_OWNER, 1), /* fchown16 */
    [198] = NAMES32(SN_CHOWN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_OWNER, 1), /* lchown32 */
    [212] = NAMES32(SN_CHOWN, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_OWNER, 1), /* chown32 */
    [207] = NAMES32(SN_CHOWN, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_OWNER, 1), /* fchown32 */
    [298] = NAMES32(SN_CHOWN, 0, 1, SN_NO, SN_NO, SN_EXTRA_OWNER, 2),
    [30] = PATH32(SN_UTIME, 0),
    [271] = PATH32(SN_UTIME, 0),
    [299] = AT32(SN_UTIME),
    [320] = AT32(SN_UTIME),
    [412] = AT32(SN_UTIME),
    [38] = NAMES32(SN_RENAME, SN_NO, 1, SN_NO, 0, SN_EXTRA_NONE, SN_NO),
    [302] = NAMES32(SN_RENAME, 2, 3, 0, 1, SN_EXTRA_NONE, SN_NO),
    [353] = NAMES32(SN_RENAME, 2, 3, 0, 1, SN_EXTRA_NONE, SN_NO),
    [39] = NAMES32(SN_MKDIR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_MODE, 1),
    [296] = NAMES32(SN_MKDIR, 0, 1, SN_NO, SN_NO, SN_EXTRA_MODE, 2),
    [40] = PATH32(SN_RMDIR, 0),
    [83] = NAMES32(SN_SYMLINK, SN_NO, 1, SN_NO, 0, SN_EXTRA_NONE, SN_NO),
    [304] = NAMES32(SN_SYMLINK, 1, 2, SN_NO, 0, SN_EXTRA_NONE, SN_NO),
    [92] = NAMES32(SN_TRUNCATE, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_LENGTH, 1),
    [93] = NAMES32(SN_TRUNCATE, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_LENGTH, 1),
    [193] = NAMES32(SN_TRUNCATE, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_LENGTH, 1), /* its low half */
    [194] = NAMES32(SN_TRUNCATE, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_LENGTH, 1),
    [226] = NAMES32(SN_SETXATTR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 1),
    [227] = NAMES32(SN_SETXATTR, SN_NO, 0, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 1),
    [228] = NAMES32(SN_SETXATTR, 0, SN_NO, SN_NO, SN_NO, SN_EXTRA_ATTRIBUTE, 1),
    [21] = CALL32,  /* mount */
    [22] = CALL32,  /* umount */
    [52] = CALL32,  /* umount2 */
    [23] = CALL32,  /* setuid16 */
    [213] = CALL32, /* setuid */
    [203] = CALL32, /* setreuid */
    [208] = CALL32, /* setresuid */
    [214] = CALL32, /* setgid */
    [204] = CALL32, /* setregid */
    [210] = CALL32, /* setresgid */
    [185] = CALL32, /* capset */
    [26] = CALL32,  /* ptrace */
    [61] = CALL32,  /* chroot */
    [128] = CALL32, /* init_module */
    [129] = CALL32, /* delete_module */
    [350] = CALL32, /* finit_module */
    [217] = CALL32, /* pivot_root */
    [283] = CALL32, /* kexec_load */
    [310] = CALL32, /* unshare */
    [346] = CALL32, /* setns */
    [348] = CALL32, /* process_vm_writev */
    [356] = CALL32, /* memfd_create */
    [357] = CALL32, /* bpf */
};

static __noinline int record_call32(u32 number, s64 ret)
{
  struct scratch *s = begin_rare(SN_HOOK_SYS_EXIT, SN_SYSCALL32);
  struct pt_regs *regs = registers();
  struct sn_rare *r;

  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = number;
  r->a[1] = argument32(regs, 0);
  r->a[2] = argument32(regs, 1);
  r->a[3] = argument32(regs, 2);
  r->a[4] = argument32(regs, 3);
  r->a[5] = argument32(regs, 4);
  r->ret = ret;
  return finish(s, SN_HOOK_SYS_EXIT, SN_RING_SECURITY);
}

static __noinline int on_compat_exit(u32 number, s64 ret)
{
  u64 cookie;
  u32 type;

  if (number >= SN_COMPAT_MAX)
    return 0;
  cookie = compat_calls[number];
  if (!cookie || !current_in_scope())
    return 0;
  type = cookie >> 8 & 0xff;
  if (type == SN_PLAIN_CALL)
    return record_call32(number, ret);
  if (ret < 0)
    return 0;
  if (type == SN_FILE_OPEN) {
    struct file *file = cfg.opens_by_lsm ? NULL : file_of_fd(bpf_get_current_task_btf(), ret);
    return file ? record_open(file, SN_HOOK_SYS_EXIT, ret) : 0;
  }
  return record_names(cookie);
}

/* An attempt to load code into a kernel that has no such call. */
static __noinline int on_missing_call(u32 number)
{
  struct scratch *s;
  struct file *file;
  u8 type;

  if (cfg.no_modules && number == SN_NR_INIT_MODULE)
    type = SN_INIT_MODULE;
  else if (cfg.no_modules && number == SN_NR_FINIT_MODULE)
    type = SN_FINIT_MODULE;
  else if (cfg.no_modules && number == SN_NR_DELETE_MODULE)
    type = SN_DELETE_MODULE;
  else if (cfg.no_kexec && (number == SN_NR_KEXEC_LOAD || number == SN_NR_KEXEC_FILE_LOAD))
    type = SN_KEXEC;
  else
    return 0;
  if (!current_in_scope())
    return 0;
  s = begin_rare(SN_HOOK_SYS_EXIT, type);
  if (!s)
    return 0;
  ((struct sn_rare *)s->buf)->ret = -SN_ENOSYS;
  if (type == SN_FINIT_MODULE) {
    file = file_of_fd(bpf_get_current_task_btf(), argument(registers(), 0));
    if (file)
      append_file_path(s, &((struct sn_rare *)s->buf)->s1, file);
  }
  return finish(s, SN_HOOK_SYS_EXIT, SN_RING_SECURITY);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
  u32 number = regs->orig_ax;

  if (bpf_get_current_task_btf()->thread_info.status & SN_TS_COMPAT)
    return on_compat_exit(number, ret);
  if (number == SN_NR_CONNECT)
    return on_connect_exit(regs, SN_HOOK_SYS_EXIT, ret);
  if (number == SN_NR_SOCKET)
    return on_socket_exit(regs, SN_HOOK_SYS_EXIT, ret);
  if (ret == -SN_ENOSYS)
    return on_missing_call(number);
  return 0;
}

#endif
