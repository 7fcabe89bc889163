/**
 * How unusual an event is on this machine: how often its pairs were seen before. Explainable and only advice: nothing
 * is ever blocked because it is rare.
 *
 * Pairs: (parent program, program), (program, remote port), (program, folder written to). For each, with n sightings
 * of the pair and m of its left side, the surprise is -log2((n + 0.5) / (m + 1)) bits, held back while m is small: a
 * program that was never seen says little about its habits. The score is 1 - 2^(-bits/10) over the sum of the
 * surprises above one bit.
 *
 * Counts decay with a half-life in event time (forward decay: newer sightings weigh more, old entries are not touched).
 * State is bounded: MAX_PAIRS pairs and MAX_LEFTS left sides per kind; the least seen of the longest idle goes first.
 */
import type { SentinelEvent } from '../event.ts';

export const RARITY_KINDS = ['parent-child', 'program-port', 'program-folder'] as const;
export type RarityKind = (typeof RARITY_KINDS)[number];

const MAX_PAIRS = 20_000;
const MAX_LEFTS = 5000;
/** Sightings of a left side at which its surprises count half. */
const HALF_TRUST = 20;
const CANDIDATES = 8;
const MAX_KEY = 300;
/** Largest count taken from a file: what is larger was not counted here. */
const MAX_COUNT = 1e12;
const DAY_NS = 86_400_000_000_000;
const DEFAULT_HALF_LIFE_DAYS = 14;

export interface RarityFeature {
  kind: RarityKind;
  left: string;
  right: string;
  /** Decayed sightings of the pair and of its left side before this event. */
  pairCount: number;
  leftCount: number;
  /** Surprise in bits, after trust. */
  bits: number;
}

export interface RarityScore {
  /** 0 (usual) to 1. */
  score: number;
  /** Most surprising first. */
  features: RarityFeature[];
}

/** Counts as they are at `timeNs`, for JSON. */
export interface RarityState {
  version: 1;
  /** Decimal ns since the epoch. */
  timeNs: string;
  halfLifeDays: number;
  pairs: [kind: RarityKind, left: string, right: string, count: number][];
}

class Counter {
  evictions = 0;
  /** In order of last use. */
  readonly counts = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(key: string, weight: number): void {
    const known = this.counts.get(key);
    if (known !== undefined) this.counts.delete(key);
    else if (this.counts.size >= this.#limit) this.#evict();
    this.counts.set(key, (known ?? 0) + weight);
  }

  #evict(): void {
    let victim: string | undefined;
    let least = Infinity;
    let looked = 0;
    for (const [key, count] of this.counts) {
      if (count < least) {
        least = count;
        victim = key;
      }
      looked += 1;
      if (looked === CANDIDATES) break;
    }
    if (victim === undefined) return;
    this.counts.delete(victim);
    this.evictions += 1;
  }
}

interface Pair {
  kind: number;
  left: string;
  right: string;
}

export class RarityModel {
  readonly halfLifeDays: number;
  readonly #pairs = RARITY_KINDS.map(() => new Counter(MAX_PAIRS));
  readonly #lefts = RARITY_KINDS.map(() => new Counter(MAX_LEFTS));
  #originNs = 0n;

  constructor(halfLifeDays = DEFAULT_HALF_LIFE_DAYS) {
    this.halfLifeDays = halfLifeDays;
  }

  /** Entries dropped because a table was full. */
  get evictions(): number {
    return [...this.#pairs, ...this.#lefts].reduce((sum, counter) => sum + counter.evictions, 0);
  }

  /** Scores an event by what was seen before it, then counts it; undefined for an event without pairs. */
  scoreAndObserve(event: SentinelEvent): RarityScore | undefined {
    const score = this.score(event);
    this.observe(event);
    return score;
  }

  score(event: SentinelEvent): RarityScore | undefined {
    const pairs = pairsOf(event);
    if (pairs.length === 0) return undefined;
    const now = this.#weight(event.tsNs);
    const features = pairs.map(({ kind, left, right }): RarityFeature => {
      const pairCount = ((this.#pairs[kind] as Counter).counts.get(pairKey(left, right)) ?? 0) / now;
      const leftCount = ((this.#lefts[kind] as Counter).counts.get(left) ?? 0) / now;
      const trust = leftCount / (leftCount + HALF_TRUST);
      const bits = Math.max(0, -Math.log2((pairCount + 0.5) / (leftCount + 1))) * trust;
      return { kind: RARITY_KINDS[kind] as RarityKind, left, right, pairCount, leftCount, bits };
    });
    features.sort((a, b) => b.bits - a.bits);
    const bits = features.reduce((sum, feature) => sum + (feature.bits > 1 ? feature.bits : 0), 0);
    return { score: 1 - 2 ** (-bits / 10), features };
  }

  observe(event: SentinelEvent): void {
    const pairs = pairsOf(event);
    if (pairs.length === 0) return;
    const weight = this.#weight(event.tsNs);
    for (const { kind, left, right } of pairs) this.#count(kind, left, right, weight);
  }

  #count(kind: number, left: string, right: string, weight: number): void {
    (this.#pairs[kind] as Counter).add(pairKey(left, right), weight);
    (this.#lefts[kind] as Counter).add(left, weight);
  }

  /** Weight of a sighting at `timeNs`: doubles every half-life. */
  #weight(timeNs: bigint): number {
    if (this.#originNs === 0n) this.#originNs = timeNs;
    const exponent = Number(timeNs - this.#originNs) / DAY_NS / this.halfLifeDays;
    if (exponent <= 40) return 2 ** Math.max(exponent, -40);
    // Weights are relative: move the origin before they grow out of a double's precision.
    for (const counter of [...this.#pairs, ...this.#lefts]) {
      for (const [key, count] of counter.counts) counter.counts.set(key, count * 2 ** -exponent);
    }
    this.#originNs = timeNs;
    return 1;
  }

  /** The counts as they are at `timeNs`, to be kept across restarts. */
  export(timeNs: bigint): RarityState {
    const now = this.#weight(timeNs);
    const pairs: RarityState['pairs'] = [];
    for (const [kind, counter] of this.#pairs.entries()) {
      for (const [key, count] of counter.counts) {
        const cut = key.indexOf('\u0000');
        const rounded = Number((count / now).toFixed(3));
        if (rounded > 0)
          pairs.push([RARITY_KINDS[kind] as RarityKind, key.slice(0, cut), key.slice(cut + 1), rounded]);
      }
    }
    return { version: 1, timeNs: timeNs.toString(), halfLifeDays: this.halfLifeDays, pairs };
  }

  /** A model from what `export` gave; throws an Error for anything else. */
  static import(state: unknown): RarityModel {
    const given = state as Partial<RarityState> | null;
    const valid =
      given?.version === 1 &&
      typeof given.timeNs === 'string' &&
      /^\d{1,20}$/.test(given.timeNs) &&
      typeof given.halfLifeDays === 'number' &&
      given.halfLifeDays > 0 &&
      Array.isArray(given.pairs);
    if (!valid) throw new Error('rarity state is not of version 1; it will be learned anew');
    const model = new RarityModel(given.halfLifeDays);
    const weight = model.#weight(BigInt(given.timeNs as string));
    for (const entry of given.pairs as unknown[]) {
      const [name, left, right, count] = Array.isArray(entry) ? (entry as unknown[]) : [];
      const kind = RARITY_KINDS.indexOf(name as RarityKind);
      if (kind === -1 || typeof left !== 'string' || typeof right !== 'string') continue;
      if (typeof count === 'number' && count > 0)
        model.#count(kind, left, right, Math.min(count, MAX_COUNT) * weight);
    }
    return model;
  }
}

function pairKey(left: string, right: string): string {
  return `${left}\u0000${right}`;
}

function cut(text: string): string {
  return text.length > MAX_KEY ? text.slice(0, MAX_KEY) : text;
}

const WRITES = new Set(['create', 'write', 'rename', 'link', 'symlink', 'mkdir', 'mknod', 'truncate']);

function pairsOf(event: SentinelEvent): Pair[] {
  const program = event.process?.executable;
  if (program === undefined) return [];
  if (event.type === 'process' && event.action === 'exec') {
    const parent = event.parent?.executable;
    return parent === undefined ? [] : [{ kind: 0, left: cut(parent), right: cut(program) }];
  }
  if (event.type === 'network' && event.network) {
    const { direction, dstPort, srcPort } = event.network;
    // Inbound, the port that tells something is our own.
    const port = direction === 'inbound' ? srcPort : dstPort;
    return port === undefined
      ? []
      : [{ kind: 1, left: cut(program), right: `${direction ?? 'outbound'} ${port}` }];
  }
  if (event.type === 'file' && event.file && WRITES.has(event.action)) {
    const { path } = event.file;
    return [{ kind: 2, left: cut(program), right: cut(path.slice(0, path.lastIndexOf('/')) || '/') }];
  }
  return [];
}
