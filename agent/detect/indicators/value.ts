/** Indicator values: which kind a text is, and its canonical form. Defanged spellings (`hxxp`, `[.]`) are restored. */
import { domainToASCII } from 'node:url';
import { parseAddress, parseNetwork } from '../address.ts';
import type { Address, Network } from '../address.ts';

export type Indicator =
  | { kind: 'hash'; value: string }
  | { kind: 'address'; address: Address }
  | { kind: 'network'; network: Network }
  | { kind: 'domain'; value: string }
  | { kind: 'url'; value: string }
  /** A path that ends with `/` stands for everything below it. */
  | { kind: 'path'; value: string }
  /** A file name in any folder, in lower case. */
  | { kind: 'name'; value: string };

const KIND_NAMES: Readonly<Record<string, Indicator['kind'] | undefined>> = {
  hash: 'hash',
  sha256: 'hash',
  'sha-256': 'hash',
  blake3: 'hash',
  ip: 'address',
  ipv4: 'address',
  ipv6: 'address',
  'ipv4-addr': 'address',
  'ipv6-addr': 'address',
  'ip-src': 'address',
  'ip-dst': 'address',
  cidr: 'network',
  network: 'network',
  domain: 'domain',
  'domain-name': 'domain',
  hostname: 'domain',
  host: 'domain',
  fqdn: 'domain',
  url: 'url',
  uri: 'url',
  path: 'path',
  file: 'path',
  filepath: 'path',
  file_path: 'path',
  filename: 'name',
  file_name: 'name',
  'file-name': 'name',
  ip_address: 'address',
  ipaddress: 'address',
  dst_ip: 'address',
  src_ip: 'address',
  'ip:port': 'address',
  sha256_hash: 'hash',
  domain_name: 'domain',
};

/** Types of other tools that no event here can match, and why. */
export const UNMATCHED: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  ['email', 'e-mail', 'email-addr', 'email-src', 'email-dst', 'mail'].map((name) => [
    name,
    'is an e-mail address, which no event here holds',
  ]),
);

/** Kind a type column names; undefined if it is not one of ours. */
export function kindNamed(name: string): Indicator['kind'] | undefined {
  const key = name.trim().toLowerCase();
  return Object.hasOwn(KIND_NAMES, key) ? KIND_NAMES[key] : undefined;
}

/** Reads a value, of a given kind or of the one it looks like. A string says what is wrong with it. */
export function readIndicator(text: string, kind?: Indicator['kind']): Indicator | string {
  const value = refang(text.trim());
  if (value === '') return 'is empty';
  if (value.length > 4096) return 'is longer than 4096 characters';
  switch (kind ?? guess(value)) {
    case 'hash':
      return readHash(value);
    case 'address':
    case 'network':
      return readAddress(value);
    case 'url':
      return readUrl(value);
    case 'name':
      return /^[^/\\\0]{1,255}$/.test(value)
        ? { kind: 'name', value: value.toLowerCase() }
        : `"${clip(value)}" is not a file name`;
    case 'path':
      return value.startsWith('/') ? { kind: 'path', value } : `"${clip(value)}" is not an absolute path`;
    case 'domain': {
      const domain = canonicalDomain(value);
      return domain === undefined
        ? `"${clip(value)}" is not a domain name`
        : { kind: 'domain', value: domain };
    }
    default:
      if (/^[^\s@/]+@[^\s@/]+\.[^\s@/]+$/.test(value))
        return 'is an e-mail address, which no event here holds';
      return `"${clip(value)}" is no hash, address, network, domain, URL or path`;
  }
}

function clip(text: string): string {
  return text.slice(0, 80);
}

const MARKS: Readonly<Record<string, string | undefined>> = { dot: '.', at: '@' };

function refang(text: string): string {
  if (!/[[({]|^h\w\wp|^fxp/i.test(text)) return text;
  return text
    .replace(/^h(?:xx|XX|tx|xt)p/i, 'http')
    .replace(/^fxp/i, 'ftp')
    .replace(
      /\s?[[({](\.|:\/\/|:|\/|@|dot|at)[\])}]\s?/gi,
      (_all, mark: string) => MARKS[mark.toLowerCase()] ?? mark,
    );
}

function guess(value: string): Indicator['kind'] | undefined {
  if (/^[0-9a-f]+$/i.test(value) && [32, 40, 64].includes(value.length)) return 'hash';
  if (value.includes('://')) return 'url';
  if (value.startsWith('/')) return 'path';
  if (
    /^[0-9.]+(?:\/\d+|:\d+)?$/.test(value) ||
    /^\[[0-9a-f:.]+\](?::\d+)?$/i.test(value) ||
    (value.includes(':') && /^[0-9a-f:.]+(?:\/\d+)?$/i.test(value))
  )
    return 'address';
  return value.includes('.') && !value.includes('@') ? 'domain' : undefined;
}

function readHash(value: string): Indicator | string {
  const hex = value.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return { kind: 'hash', value: hex };
  const other = { 32: 'MD5', 40: 'SHA-1', 128: 'SHA-512' }[hex.length];
  if (other && /^[0-9a-f]+$/.test(hex)) return `is ${other}; only SHA-256 and BLAKE3 of files are known here`;
  return `"${clip(value)}" is not a hash`;
}

function readAddress(value: string): Indicator | string {
  const port =
    /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(value) ?? /^\[([0-9a-f:.]+)\](?::\d{1,5})?$/i.exec(value);
  if (port) return readAddress(port[1] as string);
  if (value.includes('/')) {
    const network = parseNetwork(value);
    if (typeof network === 'string') return network;
    const whole = network.prefix === (network.v4 ? 32 : 128);
    return whole
      ? { kind: 'address', address: { v4: network.v4, words: network.words } }
      : { kind: 'network', network };
  }
  const address = parseAddress(value);
  return address ? { kind: 'address', address } : `"${clip(value)}" is not an IP address`;
}

function readUrl(value: string): Indicator | string {
  const canonical = canonicalUrl(value);
  return canonical === undefined ? `"${clip(value)}" is not a URL` : { kind: 'url', value: canonical };
}

/** Scheme and host in lower case, no fragment, no final slash; undefined if it cannot be one. */
export function canonicalUrl(text: string): string | undefined {
  const found = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\s]+)([^\s#]*)/i.exec(text);
  if (!found) return undefined;
  const host = asciiHost((found[2] as string).toLowerCase());
  return `${(found[1] as string).toLowerCase()}://${host}${(found[3] as string).replace(/\/$/, '')}`;
}

/** Names in other scripts in the form DNS has them (`xn--…`); what cannot be one stays as it is. */
export function asciiHost(host: string): string {
  // oxlint-disable-next-line no-control-regex
  if (!/[^\u0000-\u007f]/.test(host)) return host;
  const [, user = '', name = '', port = ''] = /^(.*@)?(.*?)(:\d*)?$/.exec(host) ?? [];
  const ascii = domainToASCII(name);
  return ascii === '' ? host : user + ascii + port;
}

/** Lower case, without final dot or leading `*.`; undefined if it cannot be a name. */
export function canonicalDomain(text: string): string | undefined {
  const name = asciiHost(text.toLowerCase().replace(/^\*\./, '').replace(/\.$/, ''));
  const valid = name.length <= 253 && /^[^\s/@:.]{1,63}(?:\.[^\s/@:.]{1,63})+$/.test(name);
  if (!valid || /\.\d+$/.test(name)) return undefined;
  return name;
}
