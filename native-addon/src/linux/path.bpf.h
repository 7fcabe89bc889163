/* Paths: from a dentry towards the root of its mount namespace, and watched names on the way.
 *
 * The walk keeps its state in the scratch slot and runs under bpf_loop, which the verifier checks once whatever the
 * depth. Bytes stop being stored at SN_PATH_MAX, but the walk goes on counting to SN_DEPTH_MAX components. */
#ifndef SENTINEL_PATH_BPF_H
#define SENTINEL_PATH_BPF_H
#include "sensor.bpf.h"

#define SN_DEPTH_MAX 4096
#define SN_NAME_BYTES 255

static __always_inline u32 watch_bits(struct walk *w)
{
  u32 *bits = bpf_map_lookup_elem(&watch_names, &w->key);

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

static long walk_step(u32 index, struct scratch **context)
{
  struct scratch *s = *context;
  struct walk *w = &s->walk;
  struct dentry *dentry = w->dentry, *parent, *root;
  struct vfsmount *mnt = w->mnt;
  struct qstr name;
  u32 len, off;

  bpf_core_read(&root, sizeof(root), &mnt->mnt_root);
  if (dentry == root) {
    struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt), *up;
    bpf_core_read(&up, sizeof(up), &m->mnt_parent);
    if (up == m || !up) {
      w->done = 1;
      return 1;
    }
    bpf_core_read(&w->dentry, sizeof(w->dentry), &m->mnt_mountpoint);
    w->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
    return 0;
  }
  bpf_core_read(&parent, sizeof(parent), &dentry->d_parent);
  bpf_core_read(&name, sizeof(name), &dentry->d_name);
  len = name.len;
  if (len > SN_NAME_BYTES)
    len = SN_NAME_BYTES;
  if (parent == dentry) {
    /* A file outside any tree (memfd), or a root nobody mounted: its name ends the walk, "/" is not a name. */
    char first = 0;
    bpf_probe_read_kernel(&first, 1, name.name);
    w->done = 1;
    if (first == '/')
      return 1;
  }
  w->orig += len + 1;
  off = s->off;
  if (!w->cut && off <= SN_OFF_MAX && off - w->start + len + 1 <= SN_PATH_MAX) {
    bpf_probe_read_kernel(s->buf + off, len, name.name);
    off += len;
    if (off <= SN_OFF_MAX + SN_PATH_MAX)
      s->buf[off] = 0;
    s->off = off + 1;
  } else {
    w->cut = 1;
  }
  clear_key(w);
  if (len < SN_NAME_MAX)
    bpf_probe_read_kernel(w->key.text, len, name.name);
  note_component(w, len < SN_NAME_MAX ? watch_bits(w) : 0);
  if (w->done)
    return 1;
  w->dentry = parent;
  return 0;
}

/* Appends the path of a dentry, leaf first, and leaves its watch bits in s->walk. */
static __noinline int append_path(struct scratch *s, struct sn_str *d, struct vfsmount *mnt, struct dentry *dentry)
{
  struct scratch *context = s;
  struct walk *w = &s->walk;

  w->dentry = dentry;
  w->mnt = mnt;
  w->start = s->off;
  w->orig = w->count = w->cut = w->done = 0;
  w->leaf = w->directory = w->top = w->any = 0;
  if (!dentry || !mnt) {
    describe(d, SN_STR_NONE, 0, 0, 0);
    return 0;
  }
  bpf_loop(SN_DEPTH_MAX, walk_step, &context, 0);
  describe(d, SN_STR_COMPONENTS, s->off - w->start,
           (w->cut ? SN_STR_CUT : 0) | (w->done ? 0 : SN_STR_DEEP | SN_STR_CUT), w->orig);
  return 0;
}

static __always_inline void append_file_path(struct scratch *s, struct sn_str *d, struct file *file)
{
  append_path(s, d, BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry));
}

/* ---- plain paths, as the caller wrote them ---- */

static long scan_step(u32 index, struct scratch **context)
{
  struct scratch *s = *context;
  struct walk *w = &s->walk;
  u32 at = w->start + index;
  u32 length = w->position;
  char c = 0;

  if (at < w->end && at < SN_SCRATCH_BYTES)
    c = s->buf[at];
  if (c != '/' && c != 0) {
    if (length < SN_NAME_MAX - 1)
      w->key.text[length & (SN_NAME_MAX - 1)] = c;
    w->position = length + 1;
    return 0;
  }
  if (length > 0) {
    u32 bits = length < SN_NAME_MAX ? watch_bits(w) : 0;
    if (length == 2 && w->key.text[0] == '.' && w->key.text[1] == '.')
      w->dots = 1;
    if (w->count == 0)
      w->top = bits;
    w->directory = w->leaf;
    w->leaf = bits;
    w->any |= bits;
    w->count++;
    clear_key(w);
    w->position = 0;
  }
  return at >= w->end;
}

/* Watch bits of the plain path at [start, end) of the buffer, into s->walk. */
static __noinline int scan_path(struct scratch *s, u32 start, u32 end)
{
  struct scratch *context = s;
  struct walk *w = &s->walk;

  w->start = start;
  w->end = end;
  w->count = w->position = w->dots = 0;
  w->leaf = w->directory = w->top = w->any = 0;
  clear_key(w);
  bpf_loop(SN_PATH_MAX + 1, scan_step, &context, 0);
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

/* Device, inode number, times and size of a file, wherever this kernel keeps them. */
struct identity {
  u64 dev;
  u64 ino;
  u64 size;
  u64 mtime;
  u64 ctime;
  u32 mode;
  u32 nlink;
  u32 uid;
  u32 magic;
};

static __always_inline u64 ns_of(s64 seconds, u64 nanoseconds)
{
  return (u64)seconds * 1000000000ull + nanoseconds;
}

static __noinline int read_identity(struct identity *id, struct inode *inode)
{
  struct super_block *sb = BPF_CORE_READ(inode, i_sb);

  id->dev = encode_dev(BPF_CORE_READ(sb, s_dev));
  id->magic = BPF_CORE_READ(sb, s_magic);
  id->ino = BPF_CORE_READ(inode, i_ino);
  id->size = BPF_CORE_READ(inode, i_size);
  id->mode = BPF_CORE_READ(inode, i_mode);
  id->nlink = BPF_CORE_READ(inode, i_nlink);
  id->uid = BPF_CORE_READ(inode, i_uid.val);
  if (bpf_core_field_exists(((struct inode___611 *)0)->i_mtime_sec)) {
    struct inode___611 *i = (void *)inode;
    id->mtime = ns_of(BPF_CORE_READ(i, i_mtime_sec), BPF_CORE_READ(i, i_mtime_nsec));
    /* From 6.13 on, bit 31 says that the time was queried. */
    id->ctime = ns_of(BPF_CORE_READ(i, i_ctime_sec), BPF_CORE_READ(i, i_ctime_nsec) & 0x7fffffff);
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
