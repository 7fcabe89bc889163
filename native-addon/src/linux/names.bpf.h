/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Calls that change the name or an attribute of a file, recorded when they succeeded. One program serves them all: the
 * attach cookie says where each call keeps its arguments, which are still in the registers at its exit. */
#ifndef SENTINEL_NAMES_BPF_H
#define SENTINEL_NAMES_BPF_H
#include "entry.bpf.h"
#include "file.bpf.h"

#define SN_AT_REMOVEDIR 0x200
#define SN_AT_FDCWD ((u32)-100)
#define SN_HOOK_RENAMEAT2 32
#define SN_RENAME_EXCHANGE 2
#define SN_UTIME_NOW 0x3fffffff
#define SN_UTIME_OMIT 0x3ffffffe

/* Directory that a relative path starts from. */
static __noinline int append_base(struct scratch *s, struct sn_str *d, u32 dfd)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct file *file;

  if (dfd == SN_AT_FDCWD) {
    struct fs_struct *fs = task->fs;
    return append_path(s, d, BPF_CORE_READ(fs, pwd.mnt), BPF_CORE_READ(fs, pwd.dentry));
  }
  file = file_of_fd(task, dfd);
  if (!file)
    return 0;
  return append_path(s, d, BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry));
}

/* Appends a path argument and, if it is relative, its directory; says whether a watched name is in it. */
static __noinline int append_argument(struct scratch *s, struct sn_str *path, struct sn_str *base, const char *from,
                                      u32 dfd)
{
  u32 start = s->off;
  bool watched;
  char first = 0;

  append_user(s, path, from);
  scan_path(s, start, s->off);
  watched = watched_change(&s->walk);
  if (start <= SN_OFF_MAX)
    first = s->buf[start];
  if (first == '/') {
    struct sn_control *ctl = controls();
    struct path root;
    read_root(&root);
    if (!ctl || ((u64)root.mnt == ctl->root_mnt && (u64)root.dentry == ctl->root_dentry))
      return watched;
    append_path(s, base, root.mnt, root.dentry);
    watched = watched || s->walk.any & SN_WATCH_SEC_DIR;
  } else {
    bool dots = s->walk.dots, top = s->walk.any & SN_WATCH_SEC_TOP;
    append_base(s, base, dfd);
    watched = watched || (s->walk.any & SN_WATCH_SEC_DIR) || (s->walk.top & SN_WATCH_SEC_TOP) || (dots && top);
  }
  return watched;
}

static __always_inline u64 time_argument(u32 extra, void *from)
{
  s64 pair[2] = {};

  if (!from)
    return 0;
  if (extra == SN_EXTRA_UTIMBUF) {
    bpf_probe_read_user(pair, 8, from + 8);
    return ns_of(pair[0], 0);
  }
  bpf_probe_read_user(pair, 16, from + 16);
  if (extra == SN_EXTRA_TIMEVAL)
    return ns_of(pair[0], pair[1] * 1000);
  if (pair[1] == SN_UTIME_NOW || pair[1] == SN_UTIME_OMIT)
    return 0;
  return ns_of(pair[0], pair[1]);
}

static __always_inline unsigned long name_argument(struct pt_regs *regs, bool compat, u32 index)
{
  return compat ? argument32(regs, index) : argument(regs, index);
}

/* The paths as the kernel found them. `swap`: the other half of an exchange. */
static __always_inline bool append_entries(struct scratch *s, struct sn_file *r, struct entries *found, bool two,
                                           bool swap)
{
  struct entry *first = swap ? &found->from : &found->to;
  bool watched;

  r->ino = found->to.ino;
  r->dev = found->to.dev;
  append_entry(s, &r->path, first);
  watched = watched_change(&s->walk);
  if (!two)
    return watched;
  /* What is at the new path was at the old one. */
  first = swap ? &found->to : &found->from;
  r->ino = first->ino;
  r->dev = first->dev;
  append_entry(s, &r->path2, first);
  return watched || watched_change(&s->walk);
}

/* Records the call that `cookie` describes; what it names by now is what the call left. */
static __noinline int record_names(u64 cookie)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
  const bool compat = cookie & SN_COOKIE_COMPAT;
  struct entries *found;
  struct sn_file *r;
  struct scratch *s;
  u32 hook, type, dfd_at, path_at, dfd2_at, path2_at, extra, extra_at, dfd, watched = 0;
  u64 extra_value, path;

  hook = cookie & 0xff;
  type = cookie >> 8 & 0xff;
  dfd_at = cookie >> 16 & 0xf;
  path_at = cookie >> 20 & 0xf;
  dfd2_at = cookie >> 24 & 0xf;
  path2_at = cookie >> 28 & 0xf;
  extra = cookie >> 32 & 0xf;
  extra_at = cookie >> 36 & 0xf;
  extra_value = extra_at == SN_NO_ARG ? 0 : name_argument(regs, compat, extra_at);
  dfd = dfd_at == SN_NO_ARG ? SN_AT_FDCWD : name_argument(regs, compat, dfd_at);
  path = path_at == SN_NO_ARG ? 0 : name_argument(regs, compat, path_at);
  if (extra == SN_EXTRA_REMOVEDIR && extra_value & SN_AT_REMOVEDIR)
    type = SN_RMDIR;

  s = claim(hook);
  if (!s)
    return 0;
  begin(s, type, task, sizeof(*r));
  r = (void *)s->buf;
  r->mode = r->oflags = SN_UNKNOWN_ID;
  r->size = ~0ull;
  r->fd = -1;
  current_comm(r->comm);
  found = path ? entries_left(task, type) : NULL;
  if (found) {
    watched = append_entries(s, r, found, path2_at != SN_NO_ARG && type != SN_SYMLINK, cookie & SN_COOKIE_SWAP);
  } else if (path) {
    watched = append_argument(s, &r->path, &r->base, (const char *)path, dfd);
  } else {
    struct file *file = file_of_fd(task, dfd);
    if (!file) {
      release(s);
      return 0;
    }
    read_identity(s, BPF_CORE_READ(file, f_inode));
    if (is_memfd(BPF_CORE_READ(file, f_path.dentry), s->id.magic)) {
      release(s);
      return 0;
    }
    r->ino = s->id.ino;
    r->dev = s->id.dev;
    r->h.flags |= SN_F_FD_ARG;
    append_file_path(s, &r->path, file);
    watched = watched_change(&s->walk);
  }
  if (extra == SN_EXTRA_MODE) {
    r->mode = (u32)extra_value;
    /* A file that becomes setuid or setgid. */
    if (type == SN_CHMOD && r->mode & 06000)
      watched = 1;
  } else if (extra == SN_EXTRA_OWNER) {
    r->arg = extra_value << 32 | (u32)name_argument(regs, compat, extra_at + 1);
  } else if (extra == SN_EXTRA_LENGTH) {
    r->size = extra_value;
  } else if (extra == SN_EXTRA_ATTRIBUTE) {
    append_user(s, &r->path2, (const char *)extra_value);
  } else if (extra >= SN_EXTRA_TIMESPEC && extra <= SN_EXTRA_UTIMBUF) {
    r->mtime = time_argument(extra, (void *)extra_value);
  }
  if (path2_at != SN_NO_ARG) {
    u64 path2 = name_argument(regs, compat, path2_at);
    if (type == SN_SYMLINK)
      append_user(s, &r->path2, (const char *)path2);
    else if (!found)
      watched |= append_argument(s, &r->path2, &r->base2, (const char *)path2,
                                 dfd2_at == SN_NO_ARG ? SN_AT_FDCWD : name_argument(regs, compat, dfd2_at));
  }
  return finish_file(s, hook, watched);
}

SEC("tp/syscalls/sys_exit_rename")
int on_path(struct trace_event_raw_sys_exit *ctx)
{
  u64 cookie;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  cookie = bpf_get_attach_cookie(ctx);
  record_names(cookie);
  if ((cookie & 0xff) == SN_HOOK_RENAMEAT2) {
    struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (argument(regs, 4) & SN_RENAME_EXCHANGE)
      record_names(SN_COOKIE(SN_HOOK_RENAMEAT2, SN_RENAME, 0, 1, 2, 3, SN_EXTRA_NONE, SN_NO_ARG) | SN_COOKIE_SWAP);
  }
  return 0;
}

#endif
