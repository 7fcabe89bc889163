/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Paths: from a dentry towards the root of its mount namespace, and watched names on the way.
 *
 * The walk keeps its state in the scratch slot and runs under bpf_loop, which the verifier checks once whatever the
 * depth. Bytes stop being stored at SN_PATH_MAX, but the walk goes on counting to SN_DEPTH_MAX components. */
#ifndef SENTINEL_PATH_BPF_H
#define SENTINEL_PATH_BPF_H
#include "sensor.bpf.h"

#define SN_DEPTH_MAX 4096
#define SN_NAME_BYTES 255

/* Watch bits of a name of `len` bytes, zero-padded to SN_NAME_MAX. */
static __always_inline u32 watch_bits(const struct sn_name *name, u32 len)
{
  u32 *bits;

  if (len >= SN_NAME_MAX || !(cfg.watch_heads[len] >> (name->text[0] & 63) & 1))
    return 0;
  bits = bpf_map_lookup_elem(&watch_names, name);
  return bits ? *bits : 0;
}

static __always_inline void clear_key(struct walk *w)
{
  __builtin_memset(&w->key, 0, sizeof(w->key));
}

static __always_inline void note_component(struct walk *w, u32 bits)
{
  if (w->count == 0)
    w->leaf = bits;
  else if (w->count == 1)
    w->directory = bits;
  w->top = bits;
  w->any |= bits;
  w->count++;
}

/* A dentry's parent and name, in one copy where they are neighbours. */
struct dentry_head {
  struct dentry *parent;
  struct qstr name;
};

static __always_inline void read_head(struct dentry_head *head, struct dentry *dentry)
{
  u32 parent = bpf_core_field_offset(struct dentry, d_parent), name = bpf_core_field_offset(struct dentry, d_name);

  if (name == parent + 8) {
    bpf_probe_read_kernel(head, sizeof(*head), (void *)dentry + parent);
  } else {
    bpf_core_read(&head->parent, sizeof(head->parent), &dentry->d_parent);
    bpf_core_read(&head->name, sizeof(head->name), &dentry->d_name);
  }
}

/* Bytes of a dentry from d_parent on that hold its name, if that is short: d_iname ends within them. */
#define SN_DENTRY_BYTES 80
#define SN_INLINE_NAME 40
#define SN_NOT_INLINED ~0u

/* Like read_head, through s->raw. Returns where in s->raw the name is, or SN_NOT_INLINED: a short name is in its dentry,
 * and one copy of all that costs hardly more than one of a pointer. */
static __always_inline u32 read_component(struct scratch *s, struct dentry_head *head, struct dentry *dentry)
{
  u32 parent = bpf_core_field_offset(struct dentry, d_parent), name = bpf_core_field_offset(struct dentry, d_name);
  u64 at;

  if (name != parent + 8) {
    read_head(head, dentry);
    return SN_NOT_INLINED;
  }
  bpf_probe_read_kernel(s->raw, SN_DENTRY_BYTES, (void *)dentry + parent);
  *head = *(struct dentry_head *)s->raw;
  at = (u64)head->name.name - (u64)dentry - parent;
  return at <= SN_DENTRY_BYTES - SN_INLINE_NAME && !(at & 7) ? (u32)at : SN_NOT_INLINED;
}

static __always_inline void enter_mount(struct walk *w, struct vfsmount *mnt)
{
  w->mnt = mnt;
  bpf_core_read(&w->root, sizeof(w->root), &mnt->mnt_root);
}

static long walk_step(u32 index, struct scratch **context)
{
  struct scratch *s = *context;
  struct walk *w = &s->walk;
  struct dentry *dentry = w->dentry;
  struct dentry_head head;
  u32 len, off, inlined, bits = 0;

  if (dentry == w->root) {
    struct mount *m = (void *)w->mnt - bpf_core_field_offset(struct mount, mnt), *up;
    bpf_core_read(&up, sizeof(up), &m->mnt_parent);
    if (up == m || !up) {
      w->done = 1;
      return 1;
    }
    bpf_core_read(&w->dentry, sizeof(w->dentry), &m->mnt_mountpoint);
    enter_mount(w, (void *)up + bpf_core_field_offset(struct mount, mnt));
    return 0;
  }
  inlined = read_component(s, &head, dentry);
  len = head.name.len;
  if (len > SN_NAME_BYTES)
    len = SN_NAME_BYTES;
  if (head.parent == dentry) {
    /* A file outside any tree (memfd), or a root nobody mounted: its name ends the walk, "/" is not a name. */
    char first = 0;
    bpf_probe_read_kernel(&first, 1, head.name.name);
    w->done = 1;
    if (first == '/')
      return 1;
  }
  w->orig += len + 1;
  off = s->off;
  if (!w->cut && off <= SN_OFF_MAX && off - w->start + len + 1 <= SN_PATH_MAX) {
    char *at = s->buf + off;
    if (inlined <= SN_RAW_BYTES - SN_INLINE_NAME && len < SN_INLINE_NAME) {
      /* What follows the name is overwritten, or zeroed at the end. */
      const u64 *from = (const u64 *)(s->raw + inlined);
#pragma unroll
      for (u32 i = 0; i < SN_INLINE_NAME / 8; i++)
        ((u64 *)at)[i] = from[i];
    } else {
      bpf_probe_read_kernel(at, len, head.name.name);
    }
    if (len < SN_NAME_MAX && cfg.watch_heads[len] >> (at[0] & 63) & 1) {
      clear_key(w);
      bpf_probe_read_kernel(w->key.text, len, at);
      bits = watch_bits(&w->key, len);
    }
    off += len;
    if (off <= SN_OFF_MAX + SN_PATH_MAX)
      s->buf[off] = 0;
    s->off = off + 1;
  } else {
    w->cut = 1;
    clear_key(w);
    if (len < SN_NAME_MAX) {
      bpf_probe_read_kernel(w->key.text, len, head.name.name);
      bits = watch_bits(&w->key, len);
    }
  }
  note_component(w, bits);
  if (w->done)
    return 1;
  w->dentry = head.parent;
  return 0;
}

static __always_inline void begin_walk(struct scratch *s, struct vfsmount *mnt, struct dentry *dentry)
{
  struct walk *w = &s->walk;

  w->dentry = dentry;
  w->start = s->off;
  w->orig = w->count = w->cut = w->done = 0;
  w->leaf = w->directory = w->top = w->any = 0;
  if (mnt)
    enter_mount(w, mnt);
}

/* Goes up from where the walk is, leaf first, and describes what was appended since it began. */
static __always_inline void end_walk(struct scratch *s, struct sn_str *d)
{
  struct scratch *context = s;
  struct walk *w = &s->walk;

  bpf_loop(SN_DEPTH_MAX, walk_step, &context, 0);
  describe(d, SN_STR_COMPONENTS, s->off - w->start,
           (w->cut ? SN_STR_CUT : 0) | (w->done ? 0 : SN_STR_DEEP | SN_STR_CUT), w->orig);
}

/* Appends the path of a dentry, leaf first, and leaves its watch bits in s->walk. */
static __noinline int append_path(struct scratch *s, struct sn_str *d, struct vfsmount *mnt, struct dentry *dentry)
{
  begin_walk(s, mnt, dentry);
  if (dentry && mnt)
    end_walk(s, d);
  else
    describe(d, SN_STR_NONE, 0, 0, 0);
  return 0;
}

static __always_inline void append_file_path(struct scratch *s, struct sn_str *d, struct file *file)
{
  struct path path;

  bpf_core_read(&path, sizeof(path), &file->f_path);
  append_path(s, d, path.mnt, path.dentry);
}

/* Root directory of the current process. */
static __always_inline void read_root(struct path *root)
{
  struct fs_struct *fs = bpf_get_current_task_btf()->fs;

  root->mnt = NULL;
  root->dentry = NULL;
  if (fs)
    bpf_core_read(root, sizeof(*root), &fs->root);
}

/* ---- plain paths, as the caller wrote them ---- */

/* Takes note of the component in [start, end) of the buffer. */
static __noinline int scan_component(struct scratch *s, u32 start, u32 end)
{
  struct walk *w = &s->walk;
  u32 length = end - start, bits = 0;

  if (length == 0 || start > SN_SCRATCH_BYTES - SN_NAME_MAX)
    return 0;
  if (length == 2 && s->buf[start] == '.' && s->buf[start + 1] == '.')
    w->dots = 1;
  if (length < SN_NAME_MAX && cfg.watch_heads[length] >> (s->buf[start] & 63) & 1) {
    clear_key(w);
    bpf_probe_read_kernel(w->key.text, length, s->buf + start);
    bits = watch_bits(&w->key, length);
  }
  if (w->count == 0)
    w->top = bits;
  w->directory = w->leaf;
  w->leaf = bits;
  w->any |= bits;
  w->count++;
  return 0;
}

#define SN_SCAN_STRIDE 8

static long scan_step(u32 index, struct scratch **context)
{
  struct scratch *s = *context;
  struct walk *w = &s->walk;
  u32 at = w->start + index * SN_SCAN_STRIDE;

  if (at > SN_SCRATCH_BYTES - SN_SCAN_STRIDE)
    return 1;
#pragma unroll
  for (u32 i = 0; i < SN_SCAN_STRIDE; i++) {
    /* What follows the path in the buffer may be anything, so its end is by position. */
    if (at + i >= w->end) {
      scan_component(s, w->position, w->end);
      return 1;
    }
    if (s->buf[at + i] == '/') {
      scan_component(s, w->position, at + i);
      w->position = at + i + 1;
    }
  }
  return 0;
}

/* Watch bits of the plain path at [start, end) of the buffer, into s->walk. */
static __noinline int scan_path(struct scratch *s, u32 start, u32 end)
{
  struct scratch *context = s;
  struct walk *w = &s->walk;

  w->start = w->position = start;
  w->end = end;
  w->count = w->dots = 0;
  w->leaf = w->directory = w->top = w->any = 0;
  bpf_loop(SN_PATH_MAX / SN_SCAN_STRIDE + 1, scan_step, &context, 0);
  return 0;
}

/* Do the bits in s->walk say that a change to this path belongs to the security lane? */
static __always_inline bool watched_change(const struct walk *w)
{
  return (w->leaf & SN_WATCH_SEC_LEAF) || (w->any & SN_WATCH_SEC_DIR) || (w->top & SN_WATCH_SEC_TOP) ||
         (w->dots && (w->any & SN_WATCH_SEC_TOP));
}

/* ---- files behind descriptors ---- */

static __always_inline struct file *file_of_fd(struct task_struct *task, u32 fd)
{
  struct files_struct *files = task->files;
  struct fdtable *table;
  struct file **array;
  struct file *file = NULL;

  if (!files)
    return NULL;
  table = files->fdt;
  if (!table || fd >= table->max_fds)
    return NULL;
  array = table->fd;
  bpf_probe_read_kernel(&file, sizeof(file), array + fd);
  return file;
}

static __always_inline u64 ns_of(s64 seconds, u64 nanoseconds)
{
  return (u64)seconds * 1000000000ull + nanoseconds;
}

/* Fills s->id. */
static __noinline int read_identity(struct scratch *s, struct inode *inode)
{
  struct identity *id = &s->id;
  struct super_block *sb;

  read_raw(s, inode);
  sb = RAW(s, struct inode, inode, i_sb, struct super_block *);
  id->ino = RAW(s, struct inode, inode, i_ino, u64);
  id->size = RAW(s, struct inode, inode, i_size, u64);
  id->mode = RAW(s, struct inode, inode, i_mode, u16);
  id->nlink = RAW(s, struct inode, inode, i_nlink, u32);
  id->uid = RAW(s, struct inode, inode, i_uid, u32);
  if (bpf_core_field_exists(((struct inode___611 *)0)->i_mtime_sec)) {
    id->mtime = ns_of(RAW(s, struct inode___611, inode, i_mtime_sec, s64), RAW(s, struct inode___611, inode, i_mtime_nsec, u32));
    /* From 6.13 on, bit 31 says that the time was queried. */
    id->ctime = ns_of(RAW(s, struct inode___611, inode, i_ctime_sec, s64),
                      RAW(s, struct inode___611, inode, i_ctime_nsec, u32) & 0x7fffffff);
  } else if (bpf_core_field_exists(((struct inode___67 *)0)->__i_mtime)) {
    struct inode___67 *i = (void *)inode;
    id->mtime = ns_of(BPF_CORE_READ(i, __i_mtime.tv_sec), BPF_CORE_READ(i, __i_mtime.tv_nsec));
    id->ctime = ns_of(BPF_CORE_READ(i, __i_ctime.tv_sec), BPF_CORE_READ(i, __i_ctime.tv_nsec));
  } else if (bpf_core_field_exists(((struct inode___66 *)0)->__i_ctime)) {
    struct inode___66 *i = (void *)inode;
    id->mtime = ns_of(BPF_CORE_READ(i, i_mtime.tv_sec), BPF_CORE_READ(i, i_mtime.tv_nsec));
    id->ctime = ns_of(BPF_CORE_READ(i, __i_ctime.tv_sec), BPF_CORE_READ(i, __i_ctime.tv_nsec));
  } else {
    struct inode___61 *i = (void *)inode;
    id->mtime = ns_of(BPF_CORE_READ(i, i_mtime.tv_sec), BPF_CORE_READ(i, i_mtime.tv_nsec));
    id->ctime = ns_of(BPF_CORE_READ(i, i_ctime.tv_sec), BPF_CORE_READ(i, i_ctime.tv_nsec));
  }
  id->dev = encode_dev(BPF_CORE_READ(sb, s_dev));
  /* Only who looks for anonymous files asks. */
  id->magic = id->nlink == 0 ? BPF_CORE_READ(sb, s_magic) : 0;
  return 0;
}

#define SN_S_IFMT 0170000
#define SN_S_IFREG 0100000
#define SN_S_IFBLK 0060000
#define SN_TMPFS_MAGIC 0x01021994
#define SN_HUGETLBFS_MAGIC 0x958458f6
#define SN_PROC_MAGIC 0x9fa0

/* Is this an anonymous file of memfd_create? */
static __always_inline bool is_memfd(struct dentry *dentry, u32 magic)
{
  const unsigned char *name;
  char head[6] = {};

  if (magic != SN_TMPFS_MAGIC && magic != SN_HUGETLBFS_MAGIC)
    return false;
  name = BPF_CORE_READ(dentry, d_name.name);
  bpf_probe_read_kernel(head, sizeof(head), name);
  return head[0] == 'm' && head[1] == 'e' && head[2] == 'm' && head[3] == 'f' && head[4] == 'd' && head[5] == ':';
}

#endif
