/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* UDP destinations by the cgroup hooks, and DNS questions on their way out. */
#ifndef SENTINEL_UDP_BPF_H
#define SENTINEL_UDP_BPF_H
#include "policy.bpf.h"
#include "tcp.bpf.h"

#define SN_DNS_PORT 53
#define SN_QUESTION_MAX 264
#define SN_UDP_FLOW_NS 60000000000ull

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

/* The destination, into a record of the current task and the key of udp_flows. */
static __always_inline void read_destination(struct bpf_sock_addr *ctx, u32 *address, bool v6)
{
  if (v6) {
    address[0] = ctx->user_ip6[0];
    address[1] = ctx->user_ip6[1];
    address[2] = ctx->user_ip6[2];
    address[3] = ctx->user_ip6[3];
  } else {
    address[0] = ctx->user_ip4;
  }
}

static __always_inline void fill_attempt(struct bpf_sock_addr *ctx, struct sn_net *r, struct task_struct *task, bool v6)
{
  struct bpf_sock *sk;

  r->dport = swap16(ctx->user_port);
  r->family = v6 ? SN_AF_INET6 : SN_AF_INET;
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
}

/* ---- policies ---- */

/* What a cgroup hook returns: 0 refuses the call with EPERM. Runs for every protocol that has the hook. */
static __always_inline int judge_connect(struct bpf_sock_addr *ctx, u32 hook, bool v6)
{
  struct sn_verdict verdict = {};
  struct sn_net_key key = {.prefix = 128};
  u32 *address = (u32 *)key.address, protocol = ctx->protocol, outcome;
  struct task_struct *task;
  struct scratch *s;
  struct sn_net *r;
  u16 port = swap16(ctx->user_port);

  if (!policies_about(SN_POLICIES_NET | SN_POLICIES_CUT))
    return 1;
  task = bpf_get_current_task_btf();
  if (!cgroup_hook_in_scope(task))
    return 1;
  if (protocol == SN_MPTCP)
    protocol = SN_TCP;
  if (v6) {
    read_destination(ctx, address, true);
  } else {
    address[2] = 0xffff0000;
    read_destination(ctx, address + 3, false);
  }
  if (!judge_cut(&key, task, &verdict) && !judge_destination(&key, port, protocol, &verdict))
    return 1;
  outcome = judge_process(&verdict, task, false);
  s = claim(hook);
  if (s) {
    begin(s, SN_POLICY_CONNECT, task, sizeof(*r));
    r = (void *)s->buf;
    fill_attempt(ctx, r, task, v6);
    __builtin_memcpy(r->daddr, v6 ? address : address + 3, v6 ? 16 : 4);
    r->protocol = protocol;
    r->verdict = outcome == SN_APPLIED ? SN_VERDICT_DENIED : SN_VERDICT_ALLOWED;
    r->error = outcome == SN_APPLIED ? -SN_EPERM : 0;
    r->outcome = outcome;
    r->policy = verdict.handle;
    finish(s, hook, SN_RING_SECURITY);
  }
  return outcome != SN_APPLIED;
}

/* ---- what is recorded ---- */

/* Starts a record of a datagram socket's destination. Returns NULL when there is nothing to record. */
static __always_inline struct scratch *begin_datagram(struct bpf_sock_addr *ctx, u8 type, u32 hook, bool v6)
{
  struct task_struct *task = bpf_get_current_task_btf();
  struct udp_key key = {};
  struct scratch *s;
  struct sn_net *r;
  u64 now, *last;

  if (ctx->protocol == SN_TCP || !cgroup_hook_in_scope(task))
    return NULL;
  key.cookie = bpf_get_socket_cookie(ctx);
  key.port = ctx->user_port;
  read_destination(ctx, key.address, v6);
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
  r->protocol = ctx->protocol;
  fill_attempt(ctx, r, task, v6);
  return s;
}

/* A refused destination has its own record, on the security lane. */
static __always_inline int on_destination(struct bpf_sock_addr *ctx, u8 type, u32 hook, bool v6)
{
  struct scratch *s;

  if (!judge_connect(ctx, hook, v6))
    return 0;
  s = begin_datagram(ctx, type, hook, v6);
  if (s)
    finish(s, hook, SN_RING_OBSERVABILITY);
  return 1;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
  return on_destination(ctx, SN_CONNECT, 9, false);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
  return on_destination(ctx, SN_CONNECT, 10, true);
}

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
  return on_destination(ctx, SN_UDP_SEND, 11, false);
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
  return on_destination(ctx, SN_UDP_SEND, 12, true);
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
    u8 offset, questions[2];
    if (bpf_skb_load_bytes(skb, header + 12, &offset, 1))
      return 1;
    at = header + (offset >> 4) * 4;
    /* The length of the message comes before it, or apart. Then the count of answers, which a question has none of,
     * is where the count of questions would be. */
    if (bpf_skb_load_bytes(skb, at + 6, questions, 2))
      return 1;
    if (questions[0] == 0 && questions[1] == 1)
      at += 2;
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
  finish(s, 13, SN_RING_OBSERVABILITY);
  return 1;
}

#endif
