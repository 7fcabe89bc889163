/**
 * Looking for protected rows: speed by kind of text and size of the table, against Hyperscan, yara, ripgrep and the
 * machine's limits in the same run; memory, open time, latency; and that nothing is found where nothing is. Speeds are
 * per second of CPU time, because the machine is shared.
 */
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtIndex, KEY, scanPieces, schemaOf, type BuiltIndex } from '../dlp/built-index.ts';
import type { NativeDlpScanner } from '../../native-addon/dlp.ts';
import { writeCorpora, writeTable, type Corpus } from './dlp-corpora.ts';
import { documentFigures } from './dlp-documents.ts';
import { hyperscan, installPeers, limits, ripgrep, yara, type Speeds } from './dlp-peers.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BENCH = 'dlp';
const MB = 1e6;
const SCHEMA = schemaOf({
  fields: [
    { column: 'iban', role: 'primary', type: 'iban' },
    { column: 'mail', role: 'primary', type: 'email' },
    { column: 'account', role: 'primary', type: 'number' },
  ],
});

const LIMITS = { maxBytes: 0, deadlineMs: 0, maxHits: 1000 };

function size(fingerprints: number): string {
  return fingerprints >= 1_000_000 ? `${fingerprints / 1_000_000}M` : `${fingerprints / 1000}k`;
}

async function scanFile(scanner: NativeDlpScanner, path: string): Promise<{ hits: number; ms: number }> {
  const fd = openSync(path, 'r');
  try {
    const startedMs = performance.now();
    const { hits } = await scanner.scanFd(fd, LIMITS);
    return { hits: hits.length, ms: performance.now() - startedMs };
  } finally {
    closeSync(fd);
  }
}

/** MB per CPU second, the best of some rounds: what disturbs only ever makes it slower. */
async function speedOf(scanner: NativeDlpScanner, corpus: Corpus, rounds: number): Promise<number> {
  let best = 0;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await scanFile(scanner, corpus.path);
    const { user, system } = process.cpuUsage(before);
    best = Math.max(best, corpus.bytes / Math.max(user + system, 1));
  }
  return best;
}

function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function latencies(
  scanner: NativeDlpScanner,
  dir: string,
  prose: Corpus,
  quick: boolean,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const bytes = readFileSync(prose.path);
  for (const [name, length, times] of [
    ['64 KiB', 64 << 10, 400],
    ['1 MiB', 1 << 20, 200],
    ['8 MiB', 8 << 20, 30],
  ] as const) {
    const path = join(dir, 'latency.bin');
    writeFileSync(path, bytes.subarray(0, length));
    const wall: number[] = [];
    const cpu: number[] = [];
    for (let n = 0; n < (quick ? times / 2 : times); n++) {
      const before = process.cpuUsage();
      wall.push((await scanFile(scanner, path)).ms);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1000);
    }
    const budgeted = length === 1 << 20;
    const p99 = percentile(cpu, 0.99);
    const byClock = `by the clock p50 ${round(percentile(wall, 0.5))}, p99 ${round(percentile(wall, 0.99))} ms`;
    figures.push(
      {
        bench: BENCH,
        metric: `a file of ${name}, p50`,
        value: round(percentile(cpu, 0.5)),
        unit: 'ms CPU',
        ok: true,
      },
      {
        bench: BENCH,
        metric: `a file of ${name}, p99`,
        value: round(p99),
        unit: 'ms CPU',
        ...(budgeted && { budget: 'at most 3 ms' }),
        ok: !budgeted || p99 <= 3,
        note: byClock,
      },
    );
  }
  return figures;
}

const round = (value: number): number => Math.round(value * 100) / 100;

async function speeds(
  built: BuiltIndex,
  fingerprints: number,
  corpora: readonly Corpus[],
  rounds: number,
  peers: { name: string; speeds: Speeds } | undefined,
): Promise<Figure[]> {
  const floors: Partial<Record<Corpus['name'], number>> =
    fingerprints === 1_000_000 ? { prose: 1500, CSV: 700 } : {};
  const figures: Figure[] = [];
  for (const corpus of corpora) {
    const value = await speedOf(built.scanner, corpus, rounds);
    const floor = floors[corpus.name];
    const peer = peers?.speeds.get(corpus.name);
    const ratio = peer === undefined ? undefined : value / peer;
    const mustBeat = corpus.name === 'prose' && fingerprints === 1_000_000 && ratio !== undefined;
    const budget = [
      floor === undefined ? '' : `at least ${floor} MB/s of a core`,
      mustBeat ? 'at least 5x Hyperscan' : '',
    ].filter(Boolean);
    figures.push({
      bench: BENCH,
      metric: `${corpus.name}, ${size(fingerprints)} fingerprints`,
      value: Math.round(value),
      unit: 'MB/s of a core',
      ...(peer !== undefined && { peer: peers?.name ?? '', ratio: ratio ?? 0 }),
      ...(budget.length > 0 && { budget: budget.join(', ') }),
      ok: (floor === undefined || value >= floor) && (!mustBeat || (ratio ?? 0) >= 5),
    });
  }
  return figures;
}

/** Two files at once against one, by the clock. */
async function twoThreads(built: BuiltIndex, prose: Corpus): Promise<Figure> {
  const alone = (await scanFile(built.scanner, prose.path)).ms;
  const startedMs = performance.now();
  await Promise.all([scanFile(built.scanner, prose.path), scanFile(built.scanner, prose.path)]);
  const both = performance.now() - startedMs;
  return {
    bench: BENCH,
    metric: 'two files on two threads',
    value: round((2 * alone) / both),
    unit: 'x one thread',
    ok: true,
    note: 'by the clock, on whatever else the machine does',
  };
}

function resident(built: BuiltIndex, fingerprints: number, prose: Corpus): Figure[] {
  const keyPath = join(built.dir, 'key');
  writeFileSync(keyPath, KEY.toString('hex'), { mode: 0o600 });
  const child = join(import.meta.dirname, 'dlp-resident.ts');
  const { stdout } = spawnSync(process.execPath, ['--expose-gc', child, built.path, keyPath, prose.path], {
    encoding: 'utf8',
  });
  const { openMs, scanBytes } = JSON.parse(stdout) as { openMs: number; scanBytes: number };
  const name = size(fingerprints);
  const tenMillion = fingerprints >= 10_000_000;
  return [
    {
      bench: BENCH,
      metric: `memory of an index of ${name}, opened and used`,
      value: round(scanBytes / MB),
      unit: 'MB',
      ...(tenMillion && { budget: 'at most 20 MB' }),
      ok: !tenMillion || scanBytes <= 20 * MB,
    },
    {
      bench: BENCH,
      metric: `opening an index of ${name}`,
      value: round(openMs),
      unit: 'ms',
      ok: true,
      note: 'every byte of it is hashed and compared first',
    },
    {
      bench: BENCH,
      metric: `size of an index of ${name}`,
      value: round(statSync(built.path).size / built.source.info().entries),
      unit: 'bytes per fingerprint',
      ok: true,
    },
  ];
}

/** Exact hits in noise and unrelated text: none. */
async function nothingFound(
  built: BuiltIndex,
  corpora: readonly Corpus[],
  totalBytes: number,
): Promise<Figure> {
  let hits = 0;
  let bytes = 0;
  for (const corpus of corpora) {
    hits += (await scanFile(built.scanner, corpus.path)).hits;
    bytes += corpus.bytes;
  }
  const noise = Buffer.alloc(32 << 20);
  while (bytes < totalBytes) {
    hits += (await scanPieces(built.scanner, randomFillSync(noise))).hits.length;
    bytes += noise.length;
  }
  return {
    bench: BENCH,
    metric: `hits in ${round(bytes / MB)} MB of random and unrelated text`,
    value: hits,
    unit: 'hits',
    budget: 'none',
    ok: hits === 0,
  };
}

export async function run({ quick }: BenchOptions): Promise<Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'sentinel-dlp-bench-'));
  const figures: Figure[] = [];
  try {
    const missing = installPeers();
    const corpora = writeCorpora(dir, quick ? 16 << 20 : 64 << 20);
    const prose = corpora.find(({ name }) => name === 'prose') as Corpus;
    const { blake3, memory } = limits(readFileSync(prose.path));
    figures.push(
      {
        bench: BENCH,
        metric: 'limit: reading memory',
        value: Math.round(memory),
        unit: 'MB/s of a core',
        ok: true,
      },
      { bench: BENCH, metric: 'limit: BLAKE3', value: Math.round(blake3), unit: 'MB/s of a core', ok: true },
    );
    for (const fingerprints of quick ? [10_000, 1_000_000] : [10_000, 1_000_000, 10_000_000]) {
      const { csvPath, listPath } = writeTable(dir, fingerprints);
      const startedMs = performance.now();
      const built = await builtIndex(SCHEMA, { csvPath });
      const perSecond = built.report.rows / ((performance.now() - startedMs) / 1000);
      // Hyperscan needs a minute to compile a million literals: only the whole bench waits for it.
      const withPeer = !missing.includes('libhyperscan-dev') && fingerprints <= (quick ? 10_000 : 1_000_000);
      const peer = withPeer ? hyperscan(dir, listPath, corpora) : undefined;
      const peers = peer && {
        name: `Hyperscan, ${round(peer.compileSeconds)} s to compile`,
        speeds: peer.speeds,
      };
      figures.push(...(await speeds(built, fingerprints, corpora, quick ? 3 : 5, peers)));
      if (fingerprints === 10_000) {
        if (!missing.includes('ripgrep')) figures.push(peerFigure('ripgrep -F', ripgrep(listPath, prose)));
        if (!missing.includes('yara')) figures.push(peerFigure('yara', yara(dir, listPath, prose)));
      }
      if (fingerprints === 1_000_000) {
        figures.push(await twoThreads(built, prose), ...(await latencies(built.scanner, dir, prose, quick)));
        figures.push(await nothingFound(built, corpora, quick ? 128 * MB : 1000 * MB));
        figures.push({
          bench: BENCH,
          metric: `building an index of ${size(fingerprints)}`,
          value: Math.round(perSecond),
          unit: 'rows/s',
          ok: true,
        });
      }
      if (fingerprints >= 1_000_000) figures.push(...resident(built, fingerprints, prose));
      built.remove();
      rmSync(csvPath);
    }
    figures.push(
      ...(await documentFigures(dir, corpora, quick ? 100_000 : 1_000_000, quick ? 2 : 5, speedOf)),
    );
    for (const name of missing) {
      figures.push({
        bench: BENCH,
        metric: `peer ${name}`,
        value: 0,
        unit: 'not installed',
        ok: true,
        note: 'not measured',
      });
    }
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function peerFigure(name: string, value: number): Figure {
  return {
    bench: BENCH,
    metric: `peer ${name}, prose, 10k values`,
    value: Math.round(value),
    unit: 'MB/s of a core',
    ok: true,
  };
}
