/**
 * Looking for protected rows: speed by kind of text and size of the table, against Hyperscan, yara, ripgrep and the
 * machine's limits in the same run; memory, open time, latency; and that nothing is found where nothing is. Speeds are
 * per second of CPU time, because the machine is shared.
 */
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IndexSchema } from '../../agent/dlp/schema.ts';
import { builtIndex, KEY, scanPieces, schemaOf, type BuiltIndex } from '../dlp/built-index.ts';
import type { NativeDlpScanner } from '../../native-addon/dlp.ts';
import { writeCorpora, writeTable, type Corpus } from './dlp-corpora.ts';
import { documentFigures } from './dlp-documents.ts';
import { installPeers, startHyperscan } from './dlp-peers.ts';
import { rates, round, scanFile, size } from './dlp-rates.ts';
import type { BenchOptions, Figure } from './figure.ts';

const BENCH = 'dlp';
const MB = 1e6;
const NUMBERS: IndexSchema['fields'] = [
  { column: 'iban', role: 'primary', type: 'iban' },
  { column: 'account', role: 'primary', type: 'number' },
];
const SCHEMA = schemaOf({ fields: [...NUMBERS, { column: 'mail', role: 'primary', type: 'email' }] });

/** Most that the whole bench waits for a peer to get ready. */
const HYPERSCAN_READY_MS = 900_000;

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
  const rounds = quick ? 3 : 5;
  try {
    const missing = installPeers();
    const corpora = writeCorpora(dir, quick ? 16 << 20 : 64 << 20);
    const prose = corpora.find(({ name }) => name === 'prose') as Corpus;
    for (const fingerprints of quick ? [10_000, 1_000_000] : [10_000, 1_000_000, 10_000_000]) {
      const { csvPath, listPath } = writeTable(dir, fingerprints);
      const startedMs = performance.now();
      const built = await builtIndex(SCHEMA, { csvPath });
      const perSecond = built.report.rows / ((performance.now() - startedMs) / 1000);
      // Hyperscan takes a minute and 2 GB to compile a million literals: only the whole bench waits for it.
      const wanted = !missing.includes('libhyperscan-dev') && fingerprints <= (quick ? 10_000 : 1_000_000);
      const hyperscan = wanted ? await startHyperscan(dir, listPath, HYPERSCAN_READY_MS) : undefined;
      if (wanted && hyperscan === undefined)
        figures.push(peerFigure(`Hyperscan, ${size(fingerprints)} values`, 0, 'not ready in time', 'none'));
      const lines = fingerprints === 10_000 ? { lines: { listPath, dir, missing } } : {};
      figures.push(
        ...(await rates({ built, fingerprints, kind: 'fingerprints', corpora, rounds, hyperscan, ...lines })),
      );
      if (hyperscan) {
        const { compileSeconds, residentBytes } = hyperscan;
        const name = `Hyperscan, ${size(fingerprints)} values`;
        figures.push(peerFigure(`${name}, to compile`, compileSeconds, 's of a core'));
        figures.push(peerFigure(`${name}, memory`, residentBytes / MB, 'MB'));
        hyperscan.end();
      }
      if (fingerprints === 1_000_000) {
        figures.push(...(await latencies(built.scanner, dir, prose, quick)));
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
    // Literals that begin with digits are rare in prose, and the best case of a search for literals.
    if (!quick && !missing.includes('libhyperscan-dev')) {
      const { csvPath, listPath } = writeTable(dir, 1_000_000, false);
      const built = await builtIndex(schemaOf({ fields: NUMBERS }), { csvPath });
      const hyperscan = await startHyperscan(dir, listPath, HYPERSCAN_READY_MS);
      const kind = 'fingerprints without e-mails';
      figures.push(...(await rates({ built, fingerprints: 1_000_000, kind, corpora, rounds, hyperscan })));
      hyperscan?.end();
      built.remove();
      rmSync(csvPath);
    }
    figures.push(...(await documentFigures(dir, corpora, quick ? 100_000 : 1_000_000, quick ? 2 : 5)));
    for (const name of missing) figures.push(peerFigure(`peer ${name}`, 0, 'not installed', 'not measured'));
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function peerFigure(metric: string, value: number, unit: string, note?: string): Figure {
  return { bench: BENCH, metric, value: round(value), unit, ok: true, ...(note && { note }) };
}
