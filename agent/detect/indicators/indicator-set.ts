/**
 * Indicators ready to match: one table of fingerprints for everything that is looked up exactly, with the prefix
 * lengths that occur, so that a look-up of an address is one probe per length, longest first.
 *
 * A domain stands for itself and its subdomains, a path with `/` at its end for everything below it. URLs are looked
 * for in command lines, and so are the hosts of the URLs in them.
 */
import type { Detection, Hashes, SentinelEvent, Severity } from '../../event.ts';
import { maskOf, parseAddress } from '../address.ts';
import type { Address } from '../address.ts';
import { clip } from '../text.ts';
import { FingerprintTable, Hasher } from './fingerprints.ts';
import { MAX_LINES } from './read.ts';
import { asciiHost, canonicalUrl } from './value.ts';
import type { Indicator } from './value.ts';

const HASH = 1;
const ADDRESS = 2;
const DOMAIN = 3;
const URL = 4;
const PATH = 5;
const FOLDER = 6;
const NAME = 7;
/** Networks: NETWORK + prefix length, IPv6 at + 200. */
const NETWORK = 100;
const V6 = 200;

const MAX_FILES = 1023;
const LINE_BITS = 22;

export interface IndicatorHit {
  kind: Indicator['kind'];
  /** The event's value. */
  value: string;
  file: string;
  line: number;
  level: Severity;
}

export class IndicatorSet {
  readonly #table: FingerprintTable;
  readonly #hasher = new Hasher();
  readonly #files: string[] = [];
  /** Levels other than the default, by reference: few files give one. */
  readonly #levels = new Map<number, Severity>();
  readonly #v4Lengths: number[] = [];
  readonly #v6Lengths: number[] = [];
  readonly #defaultLevel: Severity;
  #urls = 0;
  #folders = 0;
  #names = 0;

  constructor(expected = 16, defaultLevel: Severity = 'high') {
    this.#table = new FingerprintTable(expected);
    this.#defaultLevel = defaultLevel;
  }

  get size(): number {
    return this.#table.size;
  }

  /** Bytes that the tables take. */
  get bytes(): number {
    return this.#table.bytes;
  }

  /** Registers a file; hits name it. Undefined if there are too many. */
  file(path: string): number | undefined {
    if (this.#files.length >= MAX_FILES) return undefined;
    return this.#files.push(path) - 1;
  }

  /** Adds an indicator; false if it is there already. `line` is at most MAX_LINES. */
  add(indicator: Indicator, file: number, line: number, level?: Severity): boolean {
    const ref = file * 2 ** LINE_BITS + Math.min(line, MAX_LINES);
    const added = this.#table.add(this.#key(indicator), ref);
    if (added && level !== undefined && level !== this.#defaultLevel) this.#levels.set(ref, level);
    return added;
  }

  #key(indicator: Indicator): Hasher {
    switch (indicator.kind) {
      case 'hash':
        return this.#textKey(HASH, indicator.value);
      case 'domain':
        return this.#textKey(DOMAIN, indicator.value);
      case 'url':
        this.#urls += 1;
        return this.#textKey(URL, indicator.value);
      case 'path': {
        const folder = indicator.value.endsWith('/');
        if (folder) this.#folders += 1;
        return this.#textKey(folder ? FOLDER : PATH, indicator.value);
      }
      case 'name':
        this.#names += 1;
        return this.#textKey(NAME, indicator.value);
      case 'address':
        return this.#addressKey(ADDRESS, indicator.address, indicator.address.v4 ? 32 : 128);
      case 'network': {
        const { v4, words, prefix } = indicator.network;
        const lengths = v4 ? this.#v4Lengths : this.#v6Lengths;
        if (!lengths.includes(prefix)) lengths.push(prefix);
        lengths.sort((a, b) => b - a);
        return this.#addressKey(NETWORK + prefix, { v4, words }, prefix);
      }
    }
  }

  #textKey(kind: number, text: string): Hasher {
    const hasher = this.#hasher.start(kind);
    hasher.addReversed(text, 0, text.length);
    return hasher;
  }

  #addressKey(kind: number, address: Address, prefix: number): Hasher {
    const hasher = this.#hasher.start(address.v4 ? kind : kind + V6);
    const skip = address.v4 ? 96 : 0;
    for (let i = address.v4 ? 3 : 0; i < 4; i += 1) {
      hasher.add((address.words[i] as number) & maskOf(prefix + skip - 32 * i));
    }
    return hasher;
  }

  #hit(kind: Indicator['kind'], value: string, ref: number): IndicatorHit {
    const file = this.#files[Math.floor(ref / 2 ** LINE_BITS)] ?? '';
    const line = ref % 2 ** LINE_BITS;
    return { kind, value, file, line, level: this.#levels.get(ref) ?? this.#defaultLevel };
  }

  /** SHA-256 or BLAKE3, lower-case hex. */
  findHash(hex: string): IndicatorHit | undefined {
    const ref = this.#table.find(this.#textKey(HASH, hex));
    return ref === -1 ? undefined : this.#hit('hash', hex, ref);
  }

  /** An address as text; the longest network that holds it wins. */
  findAddress(text: string): IndicatorHit | undefined {
    const address = parseAddress(text);
    if (!address) return undefined;
    const ref = this.#table.find(this.#addressKey(ADDRESS, address, address.v4 ? 32 : 128));
    if (ref !== -1) return this.#hit('address', text, ref);
    for (const length of address.v4 ? this.#v4Lengths : this.#v6Lengths) {
      const found = this.#table.find(this.#addressKey(NETWORK + length, address, length));
      if (found !== -1) return this.#hit('network', text, found);
    }
    return undefined;
  }

  /** A name or any parent of it; the most specific wins. */
  findDomain(name: string): IndicatorHit | undefined {
    const lower = asciiHost(name.toLowerCase());
    const text = lower.endsWith('.') ? lower.slice(0, -1) : lower;
    const hasher = this.#hasher.start(DOMAIN);
    let best = -1;
    for (let i = text.length - 1; i >= 0; i -= 1) {
      hasher.add(text.charCodeAt(i));
      if (i > 0 && text.charCodeAt(i - 1) !== 46) continue;
      const ref = this.#table.find(hasher);
      if (ref !== -1) best = ref;
    }
    return best === -1 ? undefined : this.#hit('domain', name, best);
  }

  /** A path, or a folder above it. */
  findPath(path: string): IndicatorHit | undefined {
    const ref = this.#table.find(this.#textKey(PATH, path));
    if (ref !== -1) return this.#hit('path', path, ref);
    if (this.#names > 0) {
      const named = this.#table.find(
        this.#textKey(NAME, path.slice(path.lastIndexOf('/') + 1).toLowerCase()),
      );
      if (named !== -1) return this.#hit('name', path, named);
    }
    if (this.#folders === 0) return undefined;
    for (let end = path.lastIndexOf('/'); end >= 0; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
      const found = this.#table.find(this.#textKey(FOLDER, path.slice(0, end + 1)));
      if (found !== -1) return this.#hit('path', path, found);
    }
    return undefined;
  }

  /** URLs in a command line: the whole of each, then its host. */
  findInArguments(argv: readonly string[]): IndicatorHit[] {
    const hits: IndicatorHit[] = [];
    for (const argument of argv) {
      if (!argument.includes('://')) continue;
      for (const [url] of argument.slice(0, 8192).matchAll(/[a-z][a-z0-9+.-]*:\/\/[^\s'"<>|;&)]+/gi)) {
        const canonical = canonicalUrl(url);
        if (canonical === undefined) continue;
        const ref = this.#urls === 0 ? -1 : this.#table.find(this.#textKey(URL, canonical));
        const hit = ref === -1 ? this.#findHost(canonical) : this.#hit('url', url, ref);
        if (hit) hits.push(hit);
      }
    }
    return hits;
  }

  #findHost(url: string): IndicatorHit | undefined {
    const authority = url.slice(url.indexOf('://') + 3).split('/', 1)[0] ?? '';
    const host = authority.slice(authority.lastIndexOf('@') + 1);
    if (host.startsWith('[')) return this.findAddress(host.slice(1, host.indexOf(']')));
    const name = host.replace(/:\d*$/, '');
    return this.findAddress(name) ?? this.findDomain(name);
  }

  /** Detections for every value of an event that is listed; undefined if none is. */
  match(event: SentinelEvent): Detection[] | undefined {
    if (this.#table.size === 0) return undefined;
    let hits: IndicatorHit[] | undefined;
    const take = (hit: IndicatorHit | undefined): void => {
      if (hit) (hits ??= []).push(hit);
    };
    const { process, file, network, dns } = event;
    if (event.type === 'process' && process) {
      if (process.hashes) {
        take(this.findHash(process.hashes.sha256));
        take(this.findHash(process.hashes.blake3));
      }
      if (event.action === 'exec') {
        if (process.executable !== undefined) take(this.findPath(process.executable));
        if (process.argv) for (const hit of this.findInArguments(process.argv)) take(hit);
      }
    }
    if (file) {
      take(this.findPath(file.path));
      if (file.oldPath !== undefined) take(this.findPath(file.oldPath));
    }
    if (network) {
      const remote = network.direction === 'inbound' ? network.srcIp : network.dstIp;
      if (remote !== undefined) take(this.findAddress(remote));
    }
    if (dns) take(this.findDomain(dns.query));
    return hits?.map(detectionOf);
  }

  /** Detections for hashes that became known after the program had started; each says so. */
  matchHashes({ sha256, blake3 }: Hashes): Detection[] | undefined {
    if (this.#table.size === 0) return undefined;
    const hits = [this.findHash(sha256), this.findHash(blake3)].filter((hit) => hit !== undefined);
    return hits.length === 0 ? undefined : hits.map(lateDetectionOf);
  }
}

const NAMES: Readonly<Record<Indicator['kind'], string>> = {
  hash: 'file hash',
  address: 'address',
  network: 'network',
  domain: 'domain',
  url: 'URL',
  path: 'path',
  name: 'file name',
};

/** A hit as a detection; its source names the file and line of the indicator. */
export function detectionOf({ kind, value, file, line, level }: IndicatorHit): Detection {
  const source = `indicator:${file}:${line}`;
  const clause = { selection: 'indicator', field: kind, pattern: `${file}:${line}`, value: clip(value) };
  return {
    ruleId: `indicator:${kind}`,
    title: `Listed ${NAMES[kind]}`,
    level,
    attack: [],
    clauses: [clause],
    source,
  };
}

function lateDetectionOf(hit: IndicatorHit): Detection {
  const detection = detectionOf(hit);
  const late = {
    selection: 'indicator',
    field: 'known',
    pattern: 'late',
    value: 'after the program started',
  };
  return {
    ...detection,
    title: `${detection.title}, known after the start`,
    clauses: [...detection.clauses, late],
  };
}
