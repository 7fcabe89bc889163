/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which file a call that changes names really changed: the kernel's own look-up, past every symbolic link, and not the
 * text in the caller's memory, which another thread may change meanwhile.
 *
 * The hooks of the security modules that take a path see the directory and the entry before the change. They leave them
 * with the task; record_names takes them at the exit of the call, if it succeeded. The name is copied, because the
 * entry is gone or elsewhere by then; the directories above are walked at the exit. What a failed call left is
 * overwritten by the next of its kind, which has the same hook. */
#ifndef SENTINEL_ENTRY_BPF_H
#define SENTINEL_ENTRY_BPF_H
#include "path.bpf.h"

/* One side of a change: `name` in the directory `dentry`; without a name, `dentry` itself. */
struct entry {
  struct vfsmount *mnt;
  struct dentry *dentry;
  u64 ino; /* 0: nothing had the name */
  u64 dev;
  u32 len;
  char name[SN_NAME_BYTES + 1];
};

struct entries {
  u32 type; /* SN_RENAME …; 0: taken */
  struct entry to;
  struct entry from; /* rename, link */
};

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct entries);
} entries SEC(".maps");

static __noinline int note_inode(struct entry *e, struct dentry *dentry)
{
  struct inode *inode = BPF_CORE_READ(dentry, d_inode);

  e->ino = inode ? BPF_CORE_READ(inode, i_ino) : 0;
  e->dev = inode ? encode_dev(BPF_CORE_READ(inode, i_sb, s_dev)) : 0;
  return 0;
}

static __noinline int note_entry(struct entry *e, struct vfsmount *mnt, struct dentry *dentry)
{
  struct dentry_head head;
  u32 len;

  read_head(&head, dentry);
  len = head.name.len & SN_NAME_BYTES;
  e->mnt = mnt;
  e->dentry = head.parent;
  e->len = len;
  bpf_probe_read_kernel(e->name, len, head.name.name);
  return note_inode(e, dentry);
}

static __always_inline struct entries *entries_of_current(u32 type)
{
  struct entries *found;

  if (!current_in_scope())
    return NULL;
  found = bpf_task_storage_get(&entries, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (found)
    found->type = type;
  return found;
}

static __always_inline int note_change(u32 type, const struct path *directory, struct dentry *dentry)
{
  struct entries *found = entries_of_current(type);

  if (found)
    note_entry(&found->to, BPF_CORE_READ(directory, mnt), dentry);
  return 0;
}

/* Both sides are in one mount, or the kernel refuses. */
static __always_inline int note_move(u32 type, struct dentry *from, const struct path *directory, struct dentry *to)
{
  struct entries *found = entries_of_current(type);
  struct vfsmount *mnt;

  if (!found)
    return 0;
  mnt = BPF_CORE_READ(directory, mnt);
  note_entry(&found->from, mnt, from);
  note_entry(&found->to, mnt, to);
  return 0;
}

static __always_inline int note_object(u32 type, const struct path *path)
{
  struct entries *found = entries_of_current(type);

  if (!found)
    return 0;
  found->to.mnt = BPF_CORE_READ(path, mnt);
  found->to.dentry = BPF_CORE_READ(path, dentry);
  found->to.len = 0;
  note_inode(&found->to, found->to.dentry);
  return 0;
}

SEC("fentry/security_path_unlink")
int BPF_PROG(note_unlink, const struct path *dir, struct dentry *dentry)
{
  return note_change(SN_UNLINK, dir, dentry);
}

SEC("fentry/security_path_rmdir")
int BPF_PROG(note_rmdir, const struct path *dir, struct dentry *dentry)
{
  return note_change(SN_RMDIR, dir, dentry);
}

SEC("fentry/security_path_mkdir")
int BPF_PROG(note_mkdir, const struct path *dir, struct dentry *dentry)
{
  return note_change(SN_MKDIR, dir, dentry);
}

SEC("fentry/security_path_mknod")
int BPF_PROG(note_mknod, const struct path *dir, struct dentry *dentry)
{
  return note_change(SN_MKNOD, dir, dentry);
}

SEC("fentry/security_path_symlink")
int BPF_PROG(note_symlink, const struct path *dir, struct dentry *dentry)
{
  return note_change(SN_SYMLINK, dir, dentry);
}

SEC("fentry/security_path_link")
int BPF_PROG(note_link, struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry)
{
  return note_move(SN_LINK, old_dentry, new_dir, new_dentry);
}

SEC("fentry/security_path_rename")
int BPF_PROG(note_rename, const struct path *old_dir, struct dentry *old_dentry, const struct path *new_dir,
             struct dentry *new_dentry)
{
  return note_move(SN_RENAME, old_dentry, new_dir, new_dentry);
}

SEC("fentry/security_path_chmod")
int BPF_PROG(note_chmod, const struct path *path)
{
  return note_object(SN_CHMOD, path);
}

SEC("fentry/security_path_chown")
int BPF_PROG(note_chown, const struct path *path)
{
  return note_object(SN_CHOWN, path);
}

SEC("fentry/security_path_truncate")
int BPF_PROG(note_truncate, const struct path *path)
{
  return note_object(SN_TRUNCATE, path);
}

SEC("fentry/vfs_utimes")
int BPF_PROG(note_utime, const struct path *path)
{
  return note_object(SN_UTIME, path);
}

/* ---- at the exit ---- */

/* What the current call of this type left, or NULL. */
static __always_inline struct entries *entries_left(struct task_struct *task, u32 type)
{
  struct entries *found = bpf_task_storage_get(&entries, task, NULL, 0);

  return found && found->type == type ? found : NULL;
}

/* Appends the name of an entry that its directory may not have any more. */
static __always_inline void append_leaf(struct scratch *s, const struct entry *e)
{
  struct walk *w = &s->walk;
  u32 off = s->off, len = e->len & SN_NAME_BYTES, bits = 0;

  if (len < SN_NAME_MAX) {
    clear_key(w);
    bpf_probe_read_kernel(w->key.text, len, e->name);
    bits = watch_bits(&w->key, len);
  }
  note_component(w, bits);
  w->orig = len + 1;
  if (off > SN_OFF_MAX) {
    w->cut = 1;
    return;
  }
  bpf_probe_read_kernel(s->buf + off, len, e->name);
  s->buf[off + len] = 0;
  s->off = off + len + 1;
}

/* Appends the path of one side; its watch bits are in s->walk then. */
static __noinline int append_entry(struct scratch *s, struct sn_str *d, const struct entry *e)
{
  begin_walk(s, e->mnt, e->dentry);
  if (e->len)
    append_leaf(s, e);
  end_walk(s, d);
  return 0;
}

#endif
