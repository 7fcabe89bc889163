/** IP addresses and CIDR networks as numbers: parsing without regular expressions, matching by 32-bit words. */

/** Four 32-bit words, most significant first; an IPv4 address has only `words[3]` and `v4` true. */
export interface Address {
  v4: boolean;
  words: Uint32Array;
}

export interface Network {
  v4: boolean;
  words: Uint32Array;
  prefix: number;
}

/** Parses dotted IPv4 (four decimal parts, no leading zeros) at `from` of `text`; -1 if it is not one. */
export function parseIpv4(text: string, from = 0): number {
  let value = 0;
  let part = -1;
  let digits = 0;
  let parts = 0;
  for (let i = from; i <= text.length; i += 1) {
    const code = i === text.length ? 46 : text.charCodeAt(i);
    if (code >= 48 && code <= 57) {
      if (digits > 0 && part === 0) return -1;
      part = (digits === 0 ? 0 : part) * 10 + (code - 48);
      digits += 1;
      if (digits > 3 || part > 255) return -1;
    } else if (code === 46) {
      if (digits === 0 || parts === 4) return -1;
      value = value * 256 + part;
      parts += 1;
      digits = 0;
      part = -1;
    } else return -1;
  }
  return parts === 4 ? value : -1;
}

/** Parses any textual form of RFC 4291, with an optional zone (`%eth0`), which is dropped. */
export function parseIpv6(text: string): Uint32Array | undefined {
  const zone = text.indexOf('%');
  const address = zone === -1 ? text : text.slice(0, zone);
  if (address.length < 2 || address.length > 45 || !address.includes(':')) return undefined;
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const groups: number[][] = [];
  for (const half of halves) {
    const list: number[] = [];
    const pieces = half === '' ? [] : half.split(':');
    for (const [i, piece] of pieces.entries()) {
      if (piece.includes('.')) {
        const v4 = parseIpv4(piece);
        if (v4 === -1 || i !== pieces.length - 1 || half !== halves.at(-1)) return undefined;
        list.push(Math.floor(v4 / 65_536), v4 % 65_536);
      } else {
        if (!/^[0-9a-fA-F]{1,4}$/.test(piece)) return undefined;
        list.push(Number.parseInt(piece, 16));
      }
    }
    groups.push(list);
  }
  const head = groups[0] ?? [];
  const tail = groups[1];
  const given = head.length + (tail?.length ?? 0);
  if (tail === undefined ? given !== 8 : given > 7) return undefined;
  const all = tail === undefined ? head : [...head, ...Array<number>(8 - given).fill(0), ...tail];
  const words = new Uint32Array(4);
  for (let i = 0; i < 4; i += 1) words[i] = (all[2 * i] as number) * 65_536 + (all[2 * i + 1] as number);
  return words;
}

/** An address, IPv4-mapped IPv6 taken as the IPv4 it stands for; undefined if `text` is not an address. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const value = parseIpv4(text);
    return value === -1 ? undefined : { v4: true, words: Uint32Array.of(0, 0, 0, value) };
  }
  const words = parseIpv6(text);
  if (!words) return undefined;
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return mapped ? { v4: true, words: Uint32Array.of(0, 0, 0, words[3] as number) } : { v4: false, words };
}

/** Parses `address/prefix` or one address; a string says what is wrong. Host bits must be zero. */
export function parseNetwork(text: string): Network | string {
  const slash = text.indexOf('/');
  const host = slash === -1 ? text : text.slice(0, slash);
  const v4 = host.includes(':') ? -1 : parseIpv4(host);
  const words = v4 === -1 ? parseIpv6(host) : Uint32Array.of(0, 0, 0, v4);
  if (!words || host.includes('%')) return `"${text}" is not an IP network`;
  const bits = v4 === -1 ? 128 : 32;
  const length = slash === -1 ? String(bits) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits)
    return `"${text}" has no prefix length from 0 to ${bits}`;
  const network = {
    v4: v4 !== -1,
    words: maskWords(words, Number(length), v4 !== -1),
    prefix: Number(length),
  };
  if (network.words.some((word, i) => word !== words[i])) return `"${text}" has host bits set`;
  const mapped =
    !network.v4 && network.prefix >= 96 && words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  // Addresses are compared as IPv4 when they are IPv4-mapped, so such a network must be too.
  if (!mapped) return network;
  return { v4: true, words: Uint32Array.of(0, 0, 0, words[3] as number), prefix: network.prefix - 96 };
}

/** A copy with every bit after the prefix cleared. */
export function maskWords(words: Uint32Array, prefix: number, v4: boolean): Uint32Array {
  const masked = Uint32Array.from(words);
  const skip = v4 ? 96 : 0;
  for (let i = 0; i < 4; i += 1) masked[i] = (words[i] as number) & maskOf(prefix + skip - 32 * i);
  return masked;
}

/** A 32-bit word with its first `bits` bits set (clamped to 0..32). */
export function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
}

/** True if `text` is an address inside `network`. */
export function inNetwork(network: Network, text: string): boolean {
  if (network.v4 && !text.includes(':')) {
    const value = parseIpv4(text);
    return value !== -1 && ((value ^ (network.words[3] as number)) & maskOf(network.prefix)) === 0;
  }
  const address = parseAddress(text);
  if (!address || address.v4 !== network.v4) return false;
  const skip = network.v4 ? 96 : 0;
  for (let i = 0; i < 4; i += 1) {
    const mask = maskOf(network.prefix + skip - 32 * i);
    if (((address.words[i] as number) ^ (network.words[i] as number)) & mask) return false;
  }
  return true;
}
