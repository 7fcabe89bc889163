/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Network: TCP by state changes and accept, UDP by the cgroup hooks, DNS questions on their way out.
 *
 * Most state changes run in a soft interrupt, whose "current" is whoever was interrupted. So the process is noted when
 * it opens the connection, keyed by the socket, and the records name it from there. A TCP connect is recorded when its
 * outcome is known, because only then are the ports and the error. */
#ifndef SENTINEL_NETWORK_BPF_H
#define SENTINEL_NETWORK_BPF_H
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
#define SN_DNS_PORT 53
#define SN_QUESTION_MAX 264
#define SN_UDP_FLOW_NS 60000000000ull

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

/* Unconnected UDP: destinations that a socket sent to lately. */
struct udp_key {
  u64 cookie;
  u32 address[4];
  u32 port;
  u32 pad;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct udp_key);
  __type(value, u64);
} udp_flows SEC(".maps");

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
  finish(s, 6, SN_RING_OBSERVABILITY, 0);
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
  finish(s, 6, SN_RING_OBSERVABILITY, 0);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_sock_state, struct sock *sk, int old_state, int new_state)
{
  u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
  u64 key = (u64)sk;
  struct sn_control *ctl;
  struct flow *flow;

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
    return finish(s, 6, SN_RING_SECURITY, 0);
  }
  if (new_state != SN_STATE_ESTABLISHED && new_state != SN_STATE_CLOSE)
    return 0;
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
  u16 family;

  if (ctx->ret < 0 || !current_in_scope())
    return 0;
  file = file_of_fd(bpf_get_current_task_btf(), ctx->ret);
  if (!file)
    return 0;
  socket = BPF_CORE_READ(file, private_data);
  sk = BPF_CORE_READ(socket, sk);
  family = BPF_CORE_READ(sk, __sk_common.skc_family);
  if (!sk || (family != SN_AF_INET && family != SN_AF_INET6))
    return 0;
  s = claim(hook);
  if (!s)
    return 0;
  begin(s, SN_ACCEPT, bpf_get_current_task_btf(), sizeof(*r));
  r = (void *)s->buf;
  fill_ends(s, r, sk, true);
  r->direction = SN_DIR_IN;
  current_comm(r->comm);
  finish(s, hook, SN_RING_OBSERVABILITY, 0);
  /* Without room the end of this connection will be missing, and that is counted. */
  if (BPF_CORE_READ(sk, __sk_common.skc_state) != SN_STATE_CLOSE && !note_flow(sk, 1))
    lose_blind(hook);
  return 0;
}

/* ---- UDP, seen by the cgroup hooks ---- */

/* Starts a record of a datagram socket's destination. Returns NULL when there is nothing to record. */
static __always_inline struct scratch *begin_datagram(struct bpf_sock_addr *ctx, u8 type, u32 hook, bool v6)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct udp_key key = {};
  struct bpf_sock *sk;
  struct scratch *s;
  struct sn_net *r;
  u64 now, *last;

  if (ctx->protocol == SN_TCP || !cgroup_hook_in_scope(task))
    return NULL;
  key.cookie = bpf_get_socket_cookie(ctx);
  key.port = ctx->user_port;
  if (v6) {
    key.address[0] = ctx->user_ip6[0];
    key.address[1] = ctx->user_ip6[1];
    key.address[2] = ctx->user_ip6[2];
    key.address[3] = ctx->user_ip6[3];
  } else {
    key.address[0] = ctx->user_ip4;
  }
  now = bpf_ktime_get_boot_ns();
  last = bpf_map_lookup_elem(&udp_flows, &key);
  if (last && now - *last < SN_UDP_FLOW_NS)
    return NULL;
  bpf_map_update_elem(&udp_flows, &key, &now, BPF_ANY);
  s = claim(hook);
  if (!s)
    return NULL;
  begin(s, type, task, sizeof(*r));
  r = (void *)s->buf;
  __builtin_memcpy(r->daddr, key.address, sizeof(r->daddr));
  r->dport = swap16(key.port);
  r->family = v6 ? SN_AF_INET6 : SN_AF_INET;
  r->protocol = ctx->protocol;
  r->direction = SN_DIR_OUT;
  sk = ctx->sk;
  if (sk) {
    r->sport = sk->src_port;
    if (v6) {
      u32 *source = (u32 *)r->saddr;
      source[0] = sk->src_ip6[0];
      source[1] = sk->src_ip6[1];
      source[2] = sk->src_ip6[2];
      source[3] = sk->src_ip6[3];
    } else {
      *(u32 *)r->saddr = sk->src_ip4;
    }
  }
  r->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
  copy_comm(r->comm, task);
  return s;
}

static __always_inline int record_datagram(struct bpf_sock_addr *ctx, u8 type, u32 hook, bool v6)
{
  struct scratch *s = begin_datagram(ctx, type, hook, v6);

  if (s)
    finish(s, hook, SN_RING_OBSERVABILITY, 0);
  return 1;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
  return record_datagram(ctx, SN_CONNECT, 9, false);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
  return record_datagram(ctx, SN_CONNECT, 10, true);
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
  return record_datagram(ctx, SN_UDP_SEND, 11, false);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
  return record_datagram(ctx, SN_UDP_SEND, 12, true);
}

/* ---- DNS ---- */

struct dns_header {
  u16 id;
  u8 flags; /* bit 7: a response */
  u8 codes;
  u16 questions;
  u16 rest[3];
};

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb)
{
  struct task_struct *task;
  struct dns_header dns;
  struct scratch *s;
  struct sn_net *r;
  u8 ip[40], ports[4], protocol;
  u32 header, at;
  bool v6 = skb->protocol == swap16(0x86dd);
  struct bpf_sock *sk = skb->sk;

  /* Most packets are of connections to elsewhere: told without looking into them. */
  if (sk && sk->dst_port != 0 && sk->dst_port != swap16(SN_DNS_PORT))
    return 1;
  if (!v6 && skb->protocol != swap16(0x0800))
    return 1;
  if (v6) {
    if (bpf_skb_load_bytes(skb, 0, ip, 40))
      return 1;
    header = 40;
    protocol = ip[6];
  } else {
    if (bpf_skb_load_bytes(skb, 0, ip, 20))
      return 1;
    header = (ip[0] & 0xf) * 4;
    protocol = ip[9];
  }
  if (protocol != SN_UDP && protocol != SN_TCP)
    return 1;
  if (bpf_skb_load_bytes(skb, header, ports, 4) || ports[2] != 0 || ports[3] != SN_DNS_PORT)
    return 1;
  at = header + 8;
  if (protocol == SN_TCP) {
    u8 offset;
    if (bpf_skb_load_bytes(skb, header + 12, &offset, 1))
      return 1;
    at = header + (offset >> 4) * 4 + 2;
  }
  if (bpf_skb_load_bytes(skb, at, &dns, sizeof(dns)) || dns.flags & 0x80 || dns.questions == 0)
    return 1;
  at += sizeof(dns);
  task = bpf_get_current_task_btf();
  if (!cgroup_hook_in_scope(task))
    return 1;
  s = claim(13);
  if (!s)
    return 1;
  begin(s, SN_DNS_QUERY, task, sizeof(*r));
  r = (void *)s->buf;
  if (v6) {
    __builtin_memcpy(r->saddr, ip + 8, 16);
    __builtin_memcpy(r->daddr, ip + 24, 16);
  } else {
    __builtin_memcpy(r->saddr, ip + 12, 4);
    __builtin_memcpy(r->daddr, ip + 16, 4);
  }
  r->family = v6 ? SN_AF_INET6 : SN_AF_INET;
  r->protocol = protocol;
  r->sport = ports[0] << 8 | ports[1];
  r->dport = SN_DNS_PORT;
  r->direction = SN_DIR_OUT;
  copy_comm(r->comm, task);
  if (skb->len > at) {
    /* One less than the length, so that the verifier sees that it is never zero. */
    u32 rest = skb->len - at - 1;
    if (rest >= SN_QUESTION_MAX)
      rest = SN_QUESTION_MAX - 1;
    OPAQUE(rest);
    rest &= 511;
    if (!bpf_skb_load_bytes(skb, at, s->buf + sizeof(*r), rest + 1)) {
      describe(&r->query, SN_STR_DNS, rest + 1, 0, rest + 1);
      s->off = sizeof(*r) + rest + 1;
    }
  }
  finish(s, 13, SN_RING_OBSERVABILITY, 0);
  return 1;
}

#endif
