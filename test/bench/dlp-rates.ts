/**
 * How fast the scanner reads, beside its peers and the machine's limits. All of them take turns, round by round, so that
 * whatever disturbs the machine disturbs each; of each the best round counts, because what disturbs only makes slower.
 * Speeds are per second of CPU time but for two threads, which go by the clock.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { NativeDlpScanner } from '../../native-addon/dlp.ts';
import type { BuiltIndex } from '../dlp/built-index.ts';
import type { Corpus } from './dlp-corpora.ts';
import { blake3Speed, memorySpeed, ripgrep, yara, type Hyperscan } from './dlp-peers.ts';
import type { Figure } from './figure.ts';

const LIMITS = { maxBytes: 0, deadlineMs: 0, maxHits: 1000 };
/** MB/s of a core with a million fingerprints. */
const FLOORS: Partial<Record<Corpus['name'], number>> = { prose: 1500, CSV: 700 };
const TIMES_HYPERSCAN = 5;
const MILLION = 1_000_000;

export const round = (value: number): number => Math.round(value * 100) / 100;

export function size(fingerprints: number): string {
  return fingerprints >= MILLION ? `${fingerprints / MILLION}M` : `${fingerprints / 1000}k`;
}

export async function scanFile(
  scanner: NativeDlpScanner,
  path: string,
): Promise<{ hits: number; ms: number }> {
  const fd = openSync(path, 'r');
  try {
    const startedMs = performance.now();
    const { hits } = await scanner.scanFd(fd, LIMITS);
    return { hits: hits.length, ms: performance.now() - startedMs };
  } finally {
    closeSync(fd);
  }
}

/** MB per CPU second of one scan, reading of the file from the page cache included. */
async function speedOnce(scanner: NativeDlpScanner, corpus: Corpus): Promise<number> {
  const before = process.cpuUsage();
  await scanFile(scanner, corpus.path);
  const { user, system } = process.cpuUsage(before);
  return corpus.bytes / Math.max(user + system, 1);
}

export async function bestSpeed(scanner: NativeDlpScanner, corpus: Corpus, rounds: number): Promise<number> {
  let best = 0;
  for (let nth = 0; nth < rounds; nth++) best = Math.max(best, await speedOnce(scanner, corpus));
  return best;
}

/** MB per second by the clock of two scans of the file at once. */
async function twoThreads(scanner: NativeDlpScanner, corpus: Corpus): Promise<number> {
  const startedMs = performance.now();
  await Promise.all([scanFile(scanner, corpus.path), scanFile(scanner, corpus.path)]);
  return (2 * corpus.bytes) / 1000 / (performance.now() - startedMs);
}

/** MB per second by the clock of one. */
async function oneThread(scanner: NativeDlpScanner, corpus: Corpus): Promise<number> {
  return corpus.bytes / 1000 / (await scanFile(scanner, corpus.path)).ms;
}

export interface RatesOf {
  built: BuiltIndex;
  fingerprints: number;
  /** What they are; budgets are for `fingerprints`. */
  kind: string;
  corpora: readonly Corpus[];
  rounds: number;
  hyperscan: Hyperscan | undefined;
  /** Programs that look for a list of literals, which are slow: one round each. */
  lines?: { listPath: string; dir: string; missing: readonly string[] };
}

type Runner = [name: string, run: () => Promise<number> | number];

export async function rates(of: RatesOf): Promise<Figure[]> {
  const { built, corpora, rounds, hyperscan, lines } = of;
  const { scanner } = built;
  const figures: Figure[] = [];
  for (const corpus of corpora) {
    const bytes = readFileSync(corpus.path);
    // Written once, so that it is memory of its own and not the kernel's one page of zeros.
    const ones = Buffer.alloc(bytes.length, 1);
    const runners: Runner[] = [
      ['ours', () => speedOnce(scanner, corpus)],
      ['one', () => oneThread(scanner, corpus)],
      ['two', () => twoThreads(scanner, corpus)],
    ];
    if (hyperscan) runners.push(['Hyperscan', () => hyperscan.speed(corpus)]);
    if (lines) {
      runners.push(['BLAKE3 alone', () => blake3Speed(bytes)], ['reading memory', () => memorySpeed(ones)]);
    }
    const best = new Map<string, number>();
    for (let nth = 0; nth < rounds; nth++)
      for (const [name, run] of runners) best.set(name, Math.max(best.get(name) ?? 0, await run()));
    if (lines && !lines.missing.includes('ripgrep')) best.set('ripgrep -F', ripgrep(lines.listPath, corpus));
    if (lines && !lines.missing.includes('yara')) best.set('yara', yara(lines.dir, lines.listPath, corpus));
    figures.push(...figuresOf(corpus, of, best));
  }
  return figures;
}

function figuresOf(
  corpus: Corpus,
  { fingerprints, kind }: RatesOf,
  best: ReadonlyMap<string, number>,
): Figure[] {
  const { name } = corpus;
  const ours = best.get('ours') ?? 0;
  const peer = best.get('Hyperscan');
  const ratio = peer ? ours / peer : undefined;
  const budgeted = fingerprints === MILLION && kind === 'fingerprints';
  const floor = budgeted ? FLOORS[name] : undefined;
  const mustBeat = budgeted && name === 'prose' && ratio !== undefined;
  const budget = [
    floor === undefined ? '' : `at least ${floor} MB/s of a core`,
    mustBeat ? `at least ${TIMES_HYPERSCAN}x Hyperscan` : '',
  ].filter(Boolean);
  const what = `${name}, ${size(fingerprints)} ${kind}`;
  const figures: Figure[] = [
    {
      bench: 'dlp',
      metric: what,
      value: Math.round(ours),
      unit: 'MB/s of a core',
      ...(ratio !== undefined && { peer: `Hyperscan ${Math.round(peer ?? 0)}`, ratio: round(ratio) }),
      ...(budget.length > 0 && { budget: budget.join(', ') }),
      ok: (floor === undefined || ours >= floor) && (!mustBeat || ratio >= TIMES_HYPERSCAN),
    },
    {
      bench: 'dlp',
      metric: `${what}, two threads`,
      value: Math.round(best.get('two') ?? 0),
      unit: 'MB/s by the clock',
      peer: `one thread ${Math.round(best.get('one') ?? 0)}`,
      ratio: round((best.get('two') ?? 0) / Math.max(best.get('one') ?? 1, 1)),
      ok: true,
    },
  ];
  for (const [other, value] of best) {
    if (other === 'ours' || other === 'one' || other === 'two' || other === 'Hyperscan') continue;
    const limit = other === 'BLAKE3 alone' || other === 'reading memory';
    figures.push({
      bench: 'dlp',
      metric: `${limit ? 'limit' : 'peer'} ${other}, ${name}`,
      value: Math.round(value),
      unit: 'MB/s of a core',
      peer: `ours ${Math.round(ours)}`,
      ratio: round(value / Math.max(ours, 1)),
      ok: true,
    });
  }
  return figures;
}
