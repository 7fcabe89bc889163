/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TCP, by state changes and accept.
 *
 * Most state changes run in a soft interrupt, whose "current" is whoever was interrupted. So the process is noted when
 * it opens the connection, keyed by the socket, and the records name it from there. A TCP connect is recorded when its
 * outcome is known, because only then are the ports and the error. */
#ifndef SENTINEL_TCP_BPF_H
#define SENTINEL_TCP_BPF_H
#include "path.bpf.h"

#define SN_AF_INET 2
#define SN_AF_INET6 10
#define SN_TCP 6
#define SN_UDP 17
#define SN_MPTCP 262
#define SN_STATE_ESTABLISHED 1
#define SN_STATE_SYN_SENT 2
#define SN_STATE_CLOSE 7
#define SN_STATE_LISTEN 10
#define SN_SOCK_DONE 1 /* bit of skc_flags: the peer's FIN came in */

struct address {
  u64 half[2];
};

/* Who opened a connection, and when. */
struct flow {
  u64 start;
  u64 cgroup;
  u64 since;
  u32 tgid;
  u32 tid;
  u32 uid;
  u32 euid;
  u32 inbound;
  u32 reported;
  char comm[SN_COMM_LEN];
};

/* Not LRU: an entry ends with its socket, and eviction would lose the owner of a live one. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct flow);
} flows SEC(".maps");

/* Returns false when there is no room. */
static __always_inline bool note_flow(struct sock *sk, u32 inbound)
{
  struct task_struct *task = bpf_get_current_task_btf();
  const struct cred *cred = task->cred;
  struct flow flow = {};
  u64 key = (u64)sk;

  flow.start = task->group_leader->start_boottime;
  flow.cgroup = cgroup_of(task);
  flow.since = bpf_ktime_get_boot_ns();
  flow.tgid = task->tgid;
  flow.tid = task->pid;
  flow.uid = cred->uid.val;
  flow.euid = cred->euid.val;
  flow.inbound = inbound;
  flow.reported = inbound;
  copy_comm(flow.comm, task);
  return bpf_map_update_elem(&flows, &key, &flow, BPF_ANY) == 0;
}

/* Starts a record about the process of a flow. */
static __always_inline struct sn_net *begin_flow(struct scratch *s, u8 type, const struct flow *flow)
{
  struct sn_net *r = (void *)s->buf;

  __builtin_memset(s->buf, 0, sizeof(*r));
  r->h.type = type;
  r->h.ver = SN_VERSION;
  r->h.ts = bpf_ktime_get_boot_ns();
  r->h.start = flow->start;
  r->h.cgroup = flow->cgroup;
  r->h.tgid = flow->tgid;
  r->h.tid = flow->tid;
  r->h.uid = flow->uid;
  r->h.euid = flow->euid;
  __builtin_memcpy(r->comm, flow->comm, sizeof(r->comm));
  s->off = sizeof(*r);
  return r;
}

static __always_inline u16 swap16(u16 value)
{
  return value << 8 | value >> 8;
}

/* Addresses and ports; source is who opened the connection, whichever side we are. */
static __always_inline void fill_ends(struct scratch *s, struct sn_net *r, struct sock *sk, bool inbound)
{
  u8 *local = inbound ? r->daddr : r->saddr, *remote = inbound ? r->saddr : r->daddr;
  u16 family, local_port, remote_port;

  read_raw(s, sk);
  family = RAW(s, struct sock, sk, __sk_common.skc_family, u16);
  local_port = RAW(s, struct sock, sk, __sk_common.skc_num, u16);
  remote_port = swap16(RAW(s, struct sock, sk, __sk_common.skc_dport, u16));
  /* A socket that is closed has given its number back, but still knows it. */
  if (!local_port)
    local_port = swap16(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
  r->family = family;
  r->protocol = SN_TCP;
  r->sport = inbound ? remote_port : local_port;
  r->dport = inbound ? local_port : remote_port;
  if (family == SN_AF_INET) {
    *(u32 *)local = RAW(s, struct sock, sk, __sk_common.skc_rcv_saddr, u32);
    *(u32 *)remote = RAW(s, struct sock, sk, __sk_common.skc_daddr, u32);
  } else {
    *(struct address *)local = RAW(s, struct sock, sk, __sk_common.skc_v6_rcv_saddr, struct address);
    *(struct address *)remote = RAW(s, struct sock, sk, __sk_common.skc_v6_daddr, struct address);
  }
}

static __always_inline void record_flow(u8 type, struct sock *sk, const struct flow *flow, s32 error)
{
  struct scratch *s = claim(6);
  struct sn_net *r;

  if (!s)
    return;
  r = begin_flow(s, type, flow);
  fill_ends(s, r, sk, flow->inbound);
  r->direction = flow->inbound ? SN_DIR_IN : SN_DIR_OUT;
  r->error = error;
  if (type == SN_NET_CLOSE) {
    struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
    if (tcp) {
      u64 received = tcp->bytes_received;
      r->bytes_sent = tcp->bytes_sent - tcp->bytes_retrans;
      /* The peer's FIN takes one sequence number and is counted as a byte. */
      if (received && sk->__sk_common.skc_flags & 1 << SN_SOCK_DONE)
        received--;
      r->bytes_received = received;
    }
    r->duration_ns = r->h.ts - flow->since;
  }
  finish(s, 6, SN_RING_OBSERVABILITY);
}

/* A connect whose outcome cannot be waited for, because `flows` is full. */
static __always_inline void record_attempt(struct sock *sk)
{
  struct scratch *s = claim(6);
  struct sn_net *r;

  if (!s)
    return;
  begin(s, SN_CONNECT, bpf_get_current_task_btf(), sizeof(*r));
  r = (void *)s->buf;
  fill_ends(s, r, sk, false);
  r->direction = SN_DIR_OUT;
  r->h.flags |= SN_F_NONBLOCK;
  current_comm(r->comm);
  finish(s, 6, SN_RING_OBSERVABILITY);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_sock_state, struct sock *sk, int old_state, int new_state)
{
  u16 family, protocol;
  u64 key = (u64)sk;
  struct sn_control *ctl;
  struct flow *flow;

  /* Half of all changes are of no interest. */
  if (new_state != SN_STATE_SYN_SENT && new_state != SN_STATE_LISTEN && new_state != SN_STATE_ESTABLISHED &&
      new_state != SN_STATE_CLOSE)
    return 0;
  family = sk->__sk_common.skc_family;
  protocol = sk->sk_protocol;
  if ((family != SN_AF_INET && family != SN_AF_INET6) || (protocol != SN_TCP && protocol != SN_MPTCP))
    return 0;
  if (new_state == SN_STATE_SYN_SENT) {
    if (current_in_scope() && !note_flow(sk, 0))
      record_attempt(sk);
    return 0;
  }
  if (new_state == SN_STATE_LISTEN) {
    struct scratch *s;
    struct sn_net *r;
    if (!current_in_scope())
      return 0;
    s = claim(6);
    if (!s)
      return 0;
    begin(s, SN_LISTEN, bpf_get_current_task_btf(), sizeof(*r));
    r = (void *)s->buf;
    fill_ends(s, r, sk, false);
    r->direction = SN_DIR_LISTEN;
    __builtin_memset(r->daddr, 0, sizeof(r->daddr));
    current_comm(r->comm);
    return finish(s, 6, SN_RING_SECURITY);
  }
  flow = bpf_map_lookup_elem(&flows, &key);
  ctl = controls();
  if (!flow || !ctl || ctl->stopped)
    return 0;
  if (new_state == SN_STATE_ESTABLISHED) {
    if (!flow->reported) {
      flow->reported = 1;
      flow->since = bpf_ktime_get_boot_ns();
      record_flow(SN_CONNECT, sk, flow, 0);
    }
    return 0;
  }
  if (flow->reported)
    record_flow(SN_NET_CLOSE, sk, flow, 0);
  else
    record_flow(SN_CONNECT, sk, flow, -sk->sk_err);
  bpf_map_delete_elem(&flows, &key);
  return 0;
}

SEC("tp/syscalls/sys_exit_accept4")
int on_accept(struct trace_event_raw_sys_exit *ctx)
{
  u32 hook = bpf_get_attach_cookie(ctx) & 0xff;
  struct file *file;
  struct socket *socket;
  struct scratch *s;
  struct sn_net *r;
  struct sock *sk;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  file = file_of_fd(bpf_get_current_task_btf(), ctx->ret);
  if (!file)
    return 0;
  socket = BPF_CORE_READ(file, private_data);
  sk = BPF_CORE_READ(socket, sk);
  if (!sk)
    return 0;
  s = claim(hook);
  if (!s)
    return 0;
  begin(s, SN_ACCEPT, bpf_get_current_task_btf(), sizeof(*r));
  r = (void *)s->buf;
  fill_ends(s, r, sk, true);
  if (r->family != SN_AF_INET && r->family != SN_AF_INET6) {
    release(s);
    return 0;
  }
  r->direction = SN_DIR_IN;
  current_comm(r->comm);
  finish(s, hook, SN_RING_OBSERVABILITY);
  /* Without room the end of this connection will be missing, and that is counted. */
  if (BPF_CORE_READ(sk, __sk_common.skc_state) != SN_STATE_CLOSE && !note_flow(sk, 1))
    lose_blind(hook);
  return 0;
}

#endif
