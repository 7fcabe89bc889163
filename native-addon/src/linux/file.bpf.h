/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Files: opens that create, write or touch a watched name, and the last close of what was open for writing. */
#ifndef SENTINEL_FILE_BPF_H
#define SENTINEL_FILE_BPF_H
#include "path.bpf.h"

#define SN_FMODE_WRITE 0x2
#define SN_FMODE_LSEEK 0x4
#define SN_FMODE_PATH 0x4000
#define SN_FMODE_OPENED 0x80000
#define SN_FMODE_CREATED 0x100000
#define SN_O_TRUNC 01000
#define SN_CLOSE_RANGE_CLOEXEC 4
#define SN_FD_MAX 4096

static __always_inline unsigned long argument(struct pt_regs *regs, u32 index)
{
  switch (index) {
  case 0:
    return regs->di;
  case 1:
    return regs->si;
  case 2:
    return regs->dx;
  case 3:
    return regs->r10;
  case 4:
    return regs->r8;
  default:
    return regs->r9;
  }
}

/* The same of a 32-bit call. */
static __always_inline unsigned long argument32(struct pt_regs *regs, u32 index)
{
  switch (index) {
  case 0:
    return (u32)regs->bx;
  case 1:
    return (u32)regs->cx;
  case 2:
    return (u32)regs->dx;
  case 3:
    return (u32)regs->si;
  case 4:
    return (u32)regs->di;
  default:
    return (u32)regs->bp;
  }
}

static __always_inline u32 name_bits(const struct qstr *name)
{
  struct sn_name key = {};
  u32 len = name->len;

  if (len >= SN_NAME_MAX || !cfg.watch_heads[len])
    return 0;
  bpf_probe_read_kernel(key.text, len, name->name);
  return watch_bits(&key, len);
}

/* Is a read-only open of this file wanted? */
static __always_inline bool read_wanted(struct dentry *dentry, struct inode *inode)
{
  struct dentry *directory;
  struct dentry_head head;
  u32 bits;

  if (cfg.read_opens)
    return true;
  read_head(&head, dentry);
  bits = name_bits(&head.name);
  if (bits & SN_WATCH_READ_LEAF || (bits & SN_WATCH_READ_PROC && BPF_CORE_READ(inode, i_sb, s_magic) == SN_PROC_MAGIC))
    return true;
  directory = head.parent;
  bpf_core_read(&head.name, sizeof(head.name), &directory->d_name);
  return name_bits(&head.name) & SN_WATCH_READ_DIR;
}

static __always_inline void fill_file(struct sn_file *r, const struct identity *id)
{
  r->ino = id->ino;
  r->dev = id->dev;
  r->size = id->size;
  r->mtime = id->mtime;
  r->ctime = id->ctime;
  r->mode = id->mode;
  if (id->nlink == 0)
    r->h.flags |= SN_F_DELETED;
  current_comm(r->comm);
}

/* Sends a finished file record to the lane that its watch bits ask for. */
static __always_inline int finish_file(struct scratch *s, u32 hook, bool watched)
{
  struct sn_header *h = (void *)s->buf;

  if (watched) {
    h->flags |= SN_F_WATCHED;
    return finish(s, hook, SN_RING_SECURITY);
  }
  if (current_is_noise()) {
    release(s);
    return 0;
  }
  return finish(s, hook, SN_RING_OBSERVABILITY);
}

/* Enough of struct file for what is asked of each of them. */
#define SN_FILE_BYTES 96

static __noinline int record_open(struct file *file, u32 hook, s32 fd)
{
  char raw[SN_FILE_BYTES] __attribute__((aligned(8)));
  u32 f_mode, f_flags;
  struct inode *inode;
  struct path path;
  struct sn_file *r;
  struct scratch *s;
  bool writes, watched;
  u32 mode;

  bpf_probe_read_kernel(raw, sizeof(raw), file);
  f_mode = RAW_FROM(raw, struct file, file, f_mode, u32);
  f_flags = RAW_FROM(raw, struct file, file, f_flags, u32);
  if (f_mode & SN_FMODE_PATH)
    return 0;
  inode = RAW_FROM(raw, struct file, file, f_inode, struct inode *);
  path = RAW_FROM(raw, struct file, file, f_path, struct path);
  writes = f_mode & (SN_FMODE_WRITE | SN_FMODE_CREATED) || f_flags & SN_O_TRUNC;
  if (!writes && !read_wanted(path.dentry, inode))
    return 0;
  s = claim(hook);
  if (!s)
    return 0;
  read_identity(s, inode);
  mode = s->id.mode & SN_S_IFMT;
  if (mode != SN_S_IFREG && mode != SN_S_IFBLK) {
    release(s);
    return 0;
  }
  begin(s, SN_FILE_OPEN, bpf_get_current_task_btf(), sizeof(*r));
  r = (void *)s->buf;
  fill_file(r, &s->id);
  r->oflags = f_flags;
  r->fd = fd;
  if (f_mode & SN_FMODE_CREATED)
    r->h.flags |= SN_F_CREATED;
  append_path(s, &r->path, path.mnt, path.dentry);
  if (writes)
    watched = watched_change(&s->walk);
  else
    watched = s->walk.leaf & (SN_WATCH_READ_LEAF | SN_WATCH_READ_PROC) || s->walk.directory & SN_WATCH_READ_DIR;
  return finish_file(s, hook, watched);
}

SEC("tp/syscalls/sys_exit_openat")
int on_open(struct trace_event_raw_sys_exit *ctx)
{
  struct task_struct *task;
  struct file *file;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  task = bpf_get_current_task_btf();
  file = file_of_fd(task, ctx->ret);
  if (!file)
    return 0;
  return record_open(file, bpf_get_attach_cookie(ctx) & 0xff, ctx->ret);
}

/* ---- last close ---- */

static __always_inline bool last_reference(struct file *file)
{
  if (bpf_core_field_exists(((struct file___613 *)0)->f_ref))
    return BPF_CORE_READ((struct file___613 *)file, f_ref.refcnt.counter) == 0;
  return BPF_CORE_READ((struct file___61 *)file, f_count.counter) == 1;
}

/* Records the end of `file`, open for writing; `only_last`: if this is its last reference. */
static __noinline int record_close(struct file *file, u32 hook, bool only_last)
{
  char raw[SN_FILE_BYTES] __attribute__((aligned(8)));
  struct inode *inode;
  struct path path;
  struct sn_file *r;
  struct scratch *s;
  u32 f_mode;

  bpf_probe_read_kernel(raw, sizeof(raw), file);
  f_mode = RAW_FROM(raw, struct file, file, f_mode, u32);
  /* Sockets and pipes are written too, but have no position. */
  if (only_last && (!(f_mode & SN_FMODE_WRITE) || !(f_mode & SN_FMODE_LSEEK) || !last_reference(file)))
    return 0;
  inode = RAW_FROM(raw, struct file, file, f_inode, struct inode *);
  path = RAW_FROM(raw, struct file, file, f_path, struct path);
  s = claim(hook);
  if (!s)
    return 0;
  read_identity(s, inode);
  if ((s->id.mode & SN_S_IFMT) != SN_S_IFREG || (s->id.nlink == 0 && is_memfd(path.dentry, s->id.magic))) {
    release(s);
    return 0;
  }
  begin(s, SN_FILE_CLOSE_WRITE, bpf_get_current_task_btf(), sizeof(*r));
  r = (void *)s->buf;
  fill_file(r, &s->id);
  r->oflags = RAW_FROM(raw, struct file, file, f_flags, u32);
  r->fd = -1;
  append_path(s, &r->path, path.mnt, path.dentry);
  return finish_file(s, hook, watched_change(&s->walk));
}

static __always_inline void close_if_last(struct file *file, u32 hook)
{
  if (file)
    record_close(file, hook, true);
}

SEC("tp/syscalls/sys_enter_close")
int on_close(struct trace_event_raw_sys_enter *ctx)
{
  if (!current_in_scope())
    return 0;
  close_if_last(file_of_fd(bpf_get_current_task_btf(), ctx->args[0]), bpf_get_attach_cookie(ctx) & 0xff);
  return 0;
}

/* dup2 closes its second argument. */
SEC("tp/syscalls/sys_enter_dup2")
int on_dup(struct trace_event_raw_sys_enter *ctx)
{
  if (ctx->args[0] == ctx->args[1] || !current_in_scope())
    return 0;
  close_if_last(file_of_fd(bpf_get_current_task_btf(), ctx->args[1]), bpf_get_attach_cookie(ctx) & 0xff);
  return 0;
}

static long fd_step(u32 index, struct scratch **context)
{
  struct fd_walk *w = &(*context)->fds;
  struct file *file = NULL;
  u64 word = w->word, low;
  u32 fd;

  if (!word) {
    if (w->base >= w->limit || w->base > w->last)
      return 1;
    bpf_probe_read_kernel(&word, sizeof(word), (void *)(w->open_fds + w->base / 8));
    w->word = word;
    w->base += 64;
    return 0;
  }
  low = word & -word;
  w->word = word & (word - 1);
  fd = w->base - 64;
  if (low & 0xffffffff00000000ull)
    fd += 32;
  if (low & 0xffff0000ffff0000ull)
    fd += 16;
  if (low & 0xff00ff00ff00ff00ull)
    fd += 8;
  if (low & 0xf0f0f0f0f0f0f0f0ull)
    fd += 4;
  if (low & 0xccccccccccccccccull)
    fd += 2;
  if (low & 0xaaaaaaaaaaaaaaaaull)
    fd += 1;
  if (fd < w->first || fd > w->last)
    return 0;
  bpf_probe_read_kernel(&file, sizeof(file), (void *)(w->files + (u64)fd * 8));
  close_if_last(file, w->hook);
  return 0;
}

/* Looks at every open descriptor in [first, last]: what the process is about to close all at once. */
static __noinline int close_descriptors(u32 hook, u32 first, u32 last)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  struct fdtable *table;
  struct scratch *s;
  struct fd_walk *w;

  /* Shared with another process: nothing is closed yet. */
  if (!files || files->count.counter != 1)
    return 0;
  table = files->fdt;
  if (!table)
    return 0;
  s = claim(hook);
  if (!s)
    return 0;
  w = &s->fds;
  w->word = 0;
  w->base = first & ~63u;
  w->first = first;
  w->last = last;
  w->limit = table->max_fds;
  w->open_fds = (u64)table->open_fds;
  w->files = (u64)table->fd;
  w->hook = hook;
  bpf_loop(SN_FD_MAX, fd_step, &s, 0);
  release(s);
  return 0;
}

SEC("tp/syscalls/sys_enter_close_range")
int on_close_range(struct trace_event_raw_sys_enter *ctx)
{
  if (ctx->args[2] & SN_CLOSE_RANGE_CLOEXEC || !current_in_scope())
    return 0;
  return close_descriptors(bpf_get_attach_cookie(ctx) & 0xff, ctx->args[0], ctx->args[1]);
}

SEC("fentry/__fput")
int BPF_PROG(on_fput, struct file *file)
{
  u32 f_mode = file->f_mode;

  if (f_mode & SN_FMODE_WRITE && f_mode & SN_FMODE_OPENED && current_in_scope())
    record_close(file, 16, false);
  return 0;
}

#endif
