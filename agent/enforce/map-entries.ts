/**
 * What policies reduce to, in the bytes of the kernel's maps (native-addon/src/linux/sensor-abi.h).
 *
 * Paths are compared whole, in the kernel's own form: components from the leaf to the root. Destinations go into one
 * trie, in which the longest prefix answers alone; so every entry also carries the rules of the shorter ones around it.
 */
import { isIPv4, isIPv6 } from 'node:net';
import {
  CUT_NET_KEY_BYTES,
  EXE_KEY_BYTES,
  EXE_VERDICT_BYTES,
  NET_KEY_BYTES,
  NET_RULE_BYTES,
  NET_RULES,
  POLICY_PATH_MAX,
  VERDICT_BYTES,
  VERDICT_FAIL_CLOSED,
} from '../../native-addon/policy-layout.ts';
import type { KernelCut, KernelDestination, KernelPolicyRef } from '../policy/types.ts';

/** Entries of one map, back to back. */
export interface MapEntries {
  keys: Buffer;
  values: Buffer;
}

/** An executable's content, wherever it was seen: identity as the kernel gives it. */
export interface DeniedVersion {
  policy: KernelPolicyRef;
  dev: number;
  inode: bigint;
  size: number;
  ctimeNs: bigint;
}

interface Refusal {
  handle: number;
  reason: string;
}

function verdict(policy: KernelPolicyRef, into: Buffer, at: number): void {
  into.writeUInt32LE(policy.handle, at);
  into.writeUInt32LE(policy.failMode === 'closed' ? VERDICT_FAIL_CLOSED : 0, at + 4);
}

/** Key of an absolute path without `.`, `..` or doubled slashes; a directory's may end in one. */
export function pathKey(path: string): Buffer | string {
  if (!path.startsWith('/')) return `${path} is not an absolute path`;
  const parts = path.replace(/\/$/, '').split('/').slice(1);
  if (parts.length === 0) return 'everything on the machine lies below /';
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return `${path} is not a resolved path`;
  const bytes = Buffer.from(`${parts.reverse().join('\0')}\0`, 'utf8');
  if (bytes.length >= POLICY_PATH_MAX) return `${path} is longer than the ${POLICY_PATH_MAX} bytes of a key`;
  return Buffer.concat([bytes, Buffer.alloc(POLICY_PATH_MAX - bytes.length)]);
}

/** Entries of pol_path or pol_dir. The first policy that names a path has it. */
export function pathEntries(paths: readonly { policy: KernelPolicyRef; value: string }[]): {
  entries: MapEntries;
  refused: Refusal[];
} {
  const byKey = new Map<string, { key: Buffer; policy: KernelPolicyRef }>();
  const refused: Refusal[] = [];
  for (const { policy, value } of paths) {
    const key = pathKey(value);
    if (typeof key === 'string') refused.push({ handle: policy.handle, reason: key });
    else {
      const id = key.toString('latin1');
      const known = byKey.get(id);
      // Who does not give way when the agent is silent has the better claim.
      if (known === undefined || (known.policy.failMode === 'open' && policy.failMode === 'closed'))
        byKey.set(id, { key, policy });
    }
  }
  const values = Buffer.alloc(byKey.size * VERDICT_BYTES);
  let at = 0;
  for (const { policy } of byKey.values()) {
    verdict(policy, values, at);
    at += VERDICT_BYTES;
  }
  return {
    entries: { keys: Buffer.concat(Array.from(byKey.values(), ({ key }) => key)), values },
    refused,
  };
}

/** Entries of pol_exe. */
export function versionEntries(versions: readonly DeniedVersion[]): MapEntries {
  const keys = Buffer.alloc(versions.length * EXE_KEY_BYTES);
  const values = Buffer.alloc(versions.length * EXE_VERDICT_BYTES);
  for (const [index, version] of versions.entries()) {
    keys.writeBigUInt64LE(BigInt(version.dev), index * EXE_KEY_BYTES);
    keys.writeBigUInt64LE(version.inode, index * EXE_KEY_BYTES + 8);
    const at = index * EXE_VERDICT_BYTES;
    values.writeBigUInt64LE(BigInt(version.size), at);
    values.writeBigUInt64LE(version.ctimeNs, at + 8);
    verdict(version.policy, values, at + 16);
  }
  return { keys, values };
}

/** A network as 128 bits: IPv4 as ::ffff:a.b.c.d. */
interface Network {
  bits: bigint;
  prefix: number;
}

function addressBits(text: string): bigint | undefined {
  if (isIPv4(text)) {
    return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0xffffn);
  }
  if (!isIPv6(text)) return undefined;
  const [head = '', tail] = text.replace(/%.*$/, '').split('::');
  const words = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((word) => {
          if (!word.includes('.')) return [parseInt(word, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  const first = words(head);
  const last = tail === undefined ? [] : words(tail);
  const zeroes = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return [...first, ...zeroes, ...last].reduce((sum, word) => (sum << 16n) | BigInt(word), 0n);
}

/** The network of a CIDR or a single address; undefined when it is neither. */
export function networkOf(cidr: string): Network | undefined {
  const [text = '', length] = cidr.split('/');
  const address = addressBits(text);
  if (address === undefined) return undefined;
  const width = isIPv4(text) ? 32 : 128;
  const given = length === undefined ? width : Number(length);
  if (!Number.isInteger(given) || given < 0 || given > width) return undefined;
  const prefix = given + 128 - width;
  return { bits: (address >> BigInt(128 - prefix)) << BigInt(128 - prefix), prefix };
}

function covers(outer: Network, inner: Network): boolean {
  if (outer.prefix > inner.prefix) return false;
  const shift = BigInt(128 - outer.prefix);
  return outer.bits >> shift === inner.bits >> shift;
}

const MAPPED: Network = { bits: 0xffffn << 32n, prefix: 96 };
const PROTOCOLS = { any: 0, tcp: 6, udp: 17 } as const;

/** Entries of pol_net. A destination whose rules do not fit is refused with all of its policy's. */
export function destinationEntries(destinations: readonly KernelDestination[]): {
  entries: MapEntries;
  refused: Refusal[];
} {
  const refused = new Map<number, string>();
  const known: { network: Network; mapped: boolean; destination: KernelDestination }[] = [];
  for (const destination of destinations) {
    const network = networkOf(destination.cidr);
    if (network === undefined)
      refused.set(destination.policy.handle, `${destination.cidr} is not a network or address`);
    else known.push({ network, mapped: covers(MAPPED, network), destination });
  }
  const nodes = new Map<string, Network>();
  const name = (network: Network): string => `${network.prefix}/${network.bits}`;
  for (const { network } of known) nodes.set(name(network), network);
  // IPv6 networks are not about IPv4, although one address space holds both here.
  if (known.some(({ network, mapped }) => !mapped && covers(network, MAPPED)))
    nodes.set(name(MAPPED), MAPPED);
  for (;;) {
    const rows = [...nodes.values()].map((network) => ({ network, rules: rulesAt(network, known, refused) }));
    const full = rows.find(({ rules }) => rules.length > NET_RULES);
    if (full === undefined) return { entries: encodeRules(rows), refused: refusals(refused) };
    // The one that asks for most gives way to the agent guardian.
    const last = full.rules[full.rules.length - 1] as Rule;
    refused.set(last.policy.handle, `more than ${NET_RULES} rules meet at one network`);
  }
}

interface Rule {
  policy: KernelPolicyRef;
  from: number;
  to: number;
  protocol: number;
}

function rulesAt(
  network: Network,
  known: readonly { network: Network; mapped: boolean; destination: KernelDestination }[],
  refused: ReadonlyMap<number, string>,
): Rule[] {
  const isMapped = covers(MAPPED, network);
  const rules = new Map<string, Rule>();
  for (const { network: around, mapped, destination } of known) {
    const { policy, ports, protocol } = destination;
    if (mapped !== isMapped || !covers(around, network) || refused.has(policy.handle)) continue;
    for (const { from, to } of ports.length === 0 ? [{ from: 0, to: 65535 }] : ports)
      rules.set(`${policy.handle} ${from} ${to} ${protocol}`, {
        policy,
        from,
        to,
        protocol: PROTOCOLS[protocol],
      });
  }
  // What stays when the agent is silent comes first: the first rule that fits decides.
  const rank = ({ policy }: Rule): number => (policy.failMode === 'closed' ? 0 : 1);
  return [...rules.values()].sort((one, other) => rank(one) - rank(other));
}

function encodeRules(rows: readonly { network: Network; rules: readonly Rule[] }[]): MapEntries {
  const keys = Buffer.alloc(rows.length * NET_KEY_BYTES);
  const values = Buffer.alloc(rows.length * NET_RULES * NET_RULE_BYTES);
  for (const [index, { network, rules }] of rows.entries()) {
    keys.writeUInt32LE(network.prefix, index * NET_KEY_BYTES);
    keys.writeBigUInt64BE(network.bits >> 64n, index * NET_KEY_BYTES + 4);
    keys.writeBigUInt64BE(network.bits & 0xffffffffffffffffn, index * NET_KEY_BYTES + 12);
    for (const [place, rule] of rules.entries()) {
      const at = (index * NET_RULES + place) * NET_RULE_BYTES;
      values.writeUInt16LE(rule.from, at);
      values.writeUInt16LE(rule.to, at + 2);
      values.writeUInt32LE(rule.protocol, at + 4);
      verdict(rule.policy, values, at + 8);
    }
  }
  return { keys, values };
}

/** Entries of cut_net: what stays open to those whom a policy cuts off. */
export function cutNetworkEntries(cuts: readonly KernelCut[]): MapEntries {
  const rows = cuts.flatMap(({ policy, except }) =>
    except.flatMap((cidr) => {
      const network = networkOf(cidr);
      return network === undefined ? [] : { handle: policy.handle, network };
    }),
  );
  const keys = Buffer.alloc(rows.length * CUT_NET_KEY_BYTES);
  for (const [index, { handle, network }] of rows.entries()) {
    const at = index * CUT_NET_KEY_BYTES;
    keys.writeUInt32LE(32 + network.prefix, at);
    keys.writeUInt32LE(handle, at + 4);
    keys.writeBigUInt64BE(network.bits >> 64n, at + 8);
    keys.writeBigUInt64BE(network.bits & 0xffffffffffffffffn, at + 16);
  }
  return { keys, values: Buffer.alloc(rows.length * 4, 1) };
}

function refusals(refused: ReadonlyMap<number, string>): Refusal[] {
  return Array.from(refused, ([handle, reason]) => ({ handle, reason }));
}
