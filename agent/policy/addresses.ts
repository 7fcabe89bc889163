/** Addresses and networks in conditions: parsed once, compared as numbers. An IPv4-mapped address counts as IPv4. */
import { isIP } from 'node:net';

interface Parsed {
  v4: boolean;
  value: bigint;
}

const MAPPED = 0xffffn;

function parseV4(text: string): bigint {
  return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseV6(text: string): bigint {
  let address = text.split('%')[0] ?? '';
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (dotted !== undefined) {
    const v4 = parseV4(dotted);
    address = `${address.slice(0, -dotted.length)}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function parseAddress(text: string): Parsed | undefined {
  const kind = isIP(text);
  if (kind === 4) return { v4: true, value: parseV4(text) };
  if (kind !== 6) return undefined;
  const value = parseV6(text);
  return value >> 32n === MAPPED ? { v4: true, value: value & 0xffffffffn } : { v4: false, value };
}

function formatV4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
}

function formatV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  return groups.join(':');
}

interface Network extends Parsed {
  prefix: number;
}

function parseNetwork(text: string): Network | undefined {
  const [ip = '', prefixText, more] = text.split('/');
  const address = parseAddress(ip);
  if (!address || more !== undefined) return undefined;
  const bits = address.v4 ? 32 : 128;
  if (prefixText !== undefined && !/^\d{1,3}$/.test(prefixText)) return undefined;
  let prefix = prefixText === undefined ? bits : Number(prefixText);
  // A mapped network is written with the prefix of IPv6.
  if (address.v4 && ip.includes(':') && prefixText !== undefined) prefix -= 96;
  if (prefix < 0 || prefix > bits) return undefined;
  const host = BigInt(bits - prefix);
  return { v4: address.v4, value: (address.value >> host) << host, prefix };
}

/** The network in its one canonical form, host bits cleared; undefined if the text is none. */
export function normalCidr(text: string): string | undefined {
  const network = parseNetwork(text);
  if (!network) return undefined;
  return `${network.v4 ? formatV4(network.value) : formatV6(network.value)}/${network.prefix}`;
}

/** Whether an address lies in the network; undefined if the text is no network. */
export function addressMatcher(text: string): ((ip: string) => boolean) | undefined {
  const network = parseNetwork(text);
  if (!network) return undefined;
  const host = BigInt((network.v4 ? 32 : 128) - network.prefix);
  const wanted = network.value >> host;
  return (ip) => {
    const address = parseAddress(ip);
    return address !== undefined && address.v4 === network.v4 && address.value >> host === wanted;
  };
}
