/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ways to talk that leave IP aside: unix sockets (a container engine answers there), VSOCK to the hypervisor, and
 * sockets that read or write raw packets. */
#ifndef SENTINEL_SOCKETS_BPF_H
#define SENTINEL_SOCKETS_BPF_H
#include "rare.bpf.h"
#include "tcp.bpf.h"

#define SN_AF_UNIX 1
#define SN_AF_PACKET 17
#define SN_AF_ALG 38
#define SN_AF_VSOCK 40
#define SN_AF_XDP 44
#define SN_SOCK_RAW 3
#define SN_SOCK_TYPE_MASK 0xf
#define SN_ENOENT 2
/* sockaddr_un, without its family. */
#define SN_UNIX_PATH_MAX 108

struct vsock_address {
  u16 family;
  u16 reserved;
  u32 port;
  u32 cid;
};

/* The path of the socket at the other end, as the file system knows it. False when it has none. */
static __always_inline bool append_peer_path(struct scratch *s, struct sn_rare *r, struct file *file)
{
  struct socket *socket = BPF_CORE_READ(file, private_data);
  struct unix_sock *own = (void *)BPF_CORE_READ(socket, sk), *peer;
  struct pid *server;
  struct path path = {};

  if (!bpf_core_field_exists(own->peer))
    return false;
  peer = (void *)BPF_CORE_READ(own, peer);
  server = BPF_CORE_READ((struct sock *)own, sk_peer_pid);
  if (server)
    r->target_pid = BPF_CORE_READ(server, numbers[0].nr);
  if (!peer)
    return false;
  bpf_core_read(&path, sizeof(path), &peer->path);
  if (!path.dentry)
    return false;
  append_path(s, &r->s1, path.mnt, path.dentry);
  return true;
}

static __noinline int record_unix(u32 hook, u32 fd, const char *address, u32 length, s64 ret)
{
  struct scratch *s = begin_rare(hook, SN_UNIX_CONNECT);
  struct sn_rare *r;
  struct file *file;
  u32 start, bytes;
  bool watched;
  char first = 0;

  if (!s)
    return 0;
  r = (void *)s->buf;
  r->ret = ret;
  start = s->off;
  file = ret < 0 ? NULL : file_of_fd(bpf_get_current_task_btf(), fd);
  if (file && append_peer_path(s, r, file)) {
    watched = watched_change(&s->walk);
  } else {
    /* Two bytes of family, then a path, which need not end; or a NUL and an abstract name of any bytes. */
    bytes = length < 2 ? 0 : length - 2;
    if (bytes > SN_UNIX_PATH_MAX)
      bytes = SN_UNIX_PATH_MAX;
    bpf_probe_read_user(&first, 1, address + 2);
    if (bytes > 1 && start <= SN_OFF_MAX && !first) {
      bytes--;
      OPAQUE(bytes);
      bytes &= 127;
      if (!bpf_probe_read_user(s->buf + start, bytes, address + 3)) {
        describe(&r->s2, SN_STR_PLAIN, bytes, 0, bytes);
        s->off = start + bytes;
      }
      watched = false;
    } else {
      r->a[0] = 1;
      append_user(s, &r->s1, address + 2);
      scan_path(s, start, s->off);
      watched = watched_change(&s->walk);
      if (first != '/') {
        struct fs_struct *fs = bpf_get_current_task_btf()->fs;
        append_path(s, &r->s3, BPF_CORE_READ(fs, pwd.mnt), BPF_CORE_READ(fs, pwd.dentry));
      }
    }
  }
  /* A socket nobody made is what the C library looks for at each name it resolves. */
  if (ret == -SN_ENOENT && !watched) {
    release(s);
    return 0;
  }
  return finish_file(s, hook, watched);
}

static __always_inline int on_connect_exit(struct pt_regs *regs, u32 hook, s64 ret)
{
  const char *address = (const char *)argument(regs, 1);
  struct vsock_address vsock = {};
  struct scratch *s;
  struct sn_rare *r;

  bpf_probe_read_user(&vsock.family, sizeof(vsock.family), address);
  if (vsock.family != SN_AF_UNIX && vsock.family != SN_AF_VSOCK)
    return 0;
  if (!current_in_scope())
    return 0;
  if (vsock.family == SN_AF_UNIX)
    return record_unix(hook, argument(regs, 0), address, argument(regs, 2), ret);
  bpf_probe_read_user(&vsock, sizeof(vsock), address);
  s = begin_rare(hook, SN_VSOCK_CONNECT);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = vsock.cid;
  r->a[1] = vsock.port;
  r->ret = ret;
  return finish(s, hook, SN_RING_SECURITY);
}

static __always_inline int on_socket_exit(struct pt_regs *regs, u32 hook, s64 ret)
{
  u32 family = argument(regs, 0), type = argument(regs, 1) & SN_SOCK_TYPE_MASK;
  struct scratch *s;
  struct sn_rare *r;

  if (family != SN_AF_PACKET && family != SN_AF_VSOCK && family != SN_AF_ALG && family != SN_AF_XDP &&
      !(type == SN_SOCK_RAW && (family == SN_AF_INET || family == SN_AF_INET6)))
    return 0;
  if (!current_in_scope())
    return 0;
  s = begin_rare(hook, SN_SOCKET);
  if (!s)
    return 0;
  r = (void *)s->buf;
  r->a[0] = family;
  r->a[1] = type;
  r->a[2] = argument(regs, 2);
  r->ret = ret;
  return finish(s, hook, SN_RING_SECURITY);
}

#endif
